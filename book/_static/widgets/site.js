// Loaded between require.js and embed-amd.js, which expects its fonts in the page's folder, and MathJax 2.
require.config({
  paths: { "@jupyter-widgets/html-manager/dist": new URL(".", document.currentScript.src).href.slice(0, -1) },
});
document.addEventListener("DOMContentLoaded", () => {
  if (window.MathJax) {
    MathJax.Hub = { Queue: ([, , element]) => MathJax.startup.promise.then(() => MathJax.typesetPromise([element])) };
  }
});
