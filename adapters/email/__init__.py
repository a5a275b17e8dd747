"""Email: requests, decisions and results by mail, over IMAP and SMTP."""
