// The words of the page's language in the place of the English ones that viewer.html holds.

// A page may change its language while the viewer stays.
const english = new WeakMap();

/** Puts `labels`, by their English text, on all that viewer.html says; what it does not say stays as it is. */
function speak(root, labels) {
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) put(walker.currentNode, (node) => node.data, (node, text) => (node.data = text), labels);
  for (const named of root.querySelectorAll("[aria-label]")) {
    put(named, (each) => each.ariaLabel, (each, text) => (each.ariaLabel = text), labels);
  }
}

function put(node, read, write, labels) {
  if (!english.has(node)) english.set(node, read(node));
  const text = english.get(node);
  const label = text.trim().replace(/\s+/g, " ");
  if (label in labels) write(node, text.replace(text.trim(), () => labels[label]));
}
