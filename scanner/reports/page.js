"use strict";
const form = document.getElementById("filter");
const cards = Array.from(document.querySelectorAll("article"), (card) => ({
  card,
  words: card.textContent.toLowerCase(),
}));

function fits({ card, words }) {
  const asked = form.elements.words.value.toLowerCase().split(/\s+/);
  return form.elements[card.dataset.severity].checked
    && Number(card.dataset.confidence) >= Number(form.elements.confidence.value)
    && (!form.elements.known.checked || card.dataset.known === "1")
    && asked.every((word) => words.includes(word));
}

function show() {
  let shown = 0;
  for (const one of cards) {
    one.card.hidden = !fits(one);
    shown += one.card.hidden ? 0 : 1;
  }
  form.elements.shown.value = `${shown} of ${cards.length} shown`;
  document.getElementById("none").hidden = shown > 0 || cards.length === 0;
}

form.hidden = false;
form.addEventListener("input", show);
form.addEventListener("submit", (event) => event.preventDefault());
show();
