// Whoever signs in comes back to where they are now: what follows the # never reaches the hub by itself.
const remember = () => {
  for (const way of document.querySelectorAll("a.way")) {
    const url = new URL(way.href);
    url.searchParams.set("to", location.pathname + location.hash);
    way.href = url.href;
  }
};
addEventListener("hashchange", remember);
remember();
