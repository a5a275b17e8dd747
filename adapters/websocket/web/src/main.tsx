import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { setNonce } from "get-nonce";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";

import { Shell } from "./app/Shell";
import { followTheme } from "./app/theme";
import { connect } from "./wire/hub";
import "./page.css";

// Styles that libraries make at run time carry the nonce of this page's policy; nothing else may be inline.
const nonce = document.querySelector<HTMLLinkElement>("link[rel=stylesheet][nonce]")?.nonce;
if (nonce) setNonce(nonce);

followTheme();
connect();

const queries = new QueryClient({
  defaultOptions: { queries: { staleTime: 30_000, retry: 1, refetchOnWindowFocus: false } },
});

createRoot(document.getElementById("app") as HTMLElement).render(
  <StrictMode>
    <QueryClientProvider client={queries}>
      <Shell />
    </QueryClientProvider>
  </StrictMode>,
);
