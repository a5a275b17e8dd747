// Keeps the place of the page that was asked for, `#/approvals/A142`, until somebody is signed in: what follows `#` is
// never sent to the hub. The page goes there (web/src/app/wanted.ts); a link asked for here leads there by itself.

function note() {
  const place = location.hash;
  for (const way of document.querySelectorAll("a[data-way]")) {
    const url = new URL(way.href);
    url.searchParams.set("to", location.pathname + place);
    way.href = url.href;
  }
  if (!/^#\/[a-z]/.test(place)) return;
  try {
    localStorage.setItem("interlock.wanted", JSON.stringify([place, Date.now()]));
  } catch {
    // A browser that keeps nothing for pages begins at the queue.
  }
  const approval = /^#\/approvals\/(A[1-9]\d{0,14})(?:$|\?)/.exec(place)?.[1] ?? "";
  const wanted = document.querySelector("#wanted");
  wanted.querySelector("strong").textContent = approval;
  wanted.hidden = approval === "";
  for (const field of document.querySelectorAll("input[name=to]")) field.value = approval;
}

note();
addEventListener("hashchange", note);
