// Loaded between require.js and embed-amd.js, whose parts each expect their fonts beside themselves, which without this is
// in the page's folder, and MathJax 2.
{
  const folder = new URL(".", document.currentScript.src).href.slice(0, -1);
  require.config({ paths: { "@jupyter-widgets": folder, "@jupyter-widgets/html-manager/dist": folder } });
}
document.addEventListener("DOMContentLoaded", () => {
  if (window.MathJax) {
    MathJax.Hub = { Queue: ([, , element]) => MathJax.startup.promise.then(() => MathJax.typesetPromise([element])) };
  }
});
