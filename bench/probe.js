// What a page under measurement notes of itself, in milliseconds; `at` is the clock that all pages of a machine share.
(() => {
  const at = () => performance.timeOrigin + performance.now();
  const noted = { rows: null, ready: null, pressed: null, changed: {}, drawn: {}, long: [] };
  globalThis.noted = noted;

  new PerformanceObserver((found) => noted.long.push(...found.getEntries().map((each) => each.duration))).observe({
    type: "longtask",
    buffered: true,
  });
  addEventListener(
    "click",
    (event) => {
      if (event.target.closest(".decide .go")) noted.pressed = performance.timeOrigin + event.timeStamp;
    },
    true,
  );
  new MutationObserver((changes) => {
    if (noted.rows === null && document.querySelector(".row, .entry")) noted.rows = performance.now();
    if (noted.ready === null && noted.rows !== null && document.querySelector("#link[data-state=live]"))
      noted.ready = performance.now();
    for (const { type, target } of changes) if (type === "attributes" && target.matches(".row")) change(target.dataset);
  }).observe(document, { subtree: true, childList: true, attributes: true, attributeFilter: ["data-state"] });

  function change({ id, state }) {
    if (state === "REVIEWING" || id in noted.changed) return;
    noted.changed[id] = at();
    requestAnimationFrame(() => setTimeout(() => (noted.drawn[id] = at())));
  }

  /** The lengths of the frames while that element is scrolled by so many pixels a frame, to and fro. */
  globalThis.scrollThrough = (selector, pixels, seconds) =>
    new Promise((resolve) => {
      const element = document.querySelector(selector);
      const frames = [];
      let before = null;
      let step = pixels;
      element.scrollTop = 0;
      requestAnimationFrame(function next(now) {
        if (before !== null) frames.push(now - before);
        before = now;
        if (frames.reduce((sum, each) => sum + each, 0) > seconds * 1000) return resolve(frames);
        if (element.scrollTop + element.clientHeight >= element.scrollHeight - 1) step = -pixels;
        if (element.scrollTop <= 0) step = pixels;
        element.scrollTop += step;
        requestAnimationFrame(next);
      });
    });
})();
