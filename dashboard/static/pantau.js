// What the pages do beyond links and forms; they work without it.

// Keys: / searches, j and k go through the list, Enter opens, ? shows the keys.
const typing = (element) => element.closest("input, textarea, select, [contenteditable]");

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
  const search = document.querySelector("input[type=search]");
  if (event.key === "/" && search) {
    event.preventDefault();
    search.focus();
    search.select();
  }
  if (event.key === "j" || event.key === "k") {
    const items = [...document.querySelectorAll("[data-item] a.title")];
    const at = items.indexOf(document.activeElement);
    items[Math.max(0, at + (event.key === "j" ? 1 : -1))]?.focus();
  }
});

// A menu closes when the focus leaves it, or by Escape.
for (const menu of document.querySelectorAll("details.menu")) {
  menu.addEventListener("focusout", (event) => {
    if (!menu.contains(event.relatedTarget)) menu.open = false;
  });
  menu.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
  });
}

// A form that changes something is sent once.
for (const form of document.querySelectorAll("form[method=post]")) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "yes";
    setTimeout(() => delete form.dataset.sent, 5000);
  });
}
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form")) delete form.dataset.sent;
});

// What goes on is fetched again every few seconds: <div data-live="/crawls/now" data-every="3">
for (const part of document.querySelectorAll("[data-live]")) {
  const again = async () => {
    if (!document.hidden) {
      try {
        const answer = await fetch(part.dataset.live, { headers: { Accept: "text/html" } });
        if (answer.ok && !answer.redirected) part.innerHTML = await answer.text();
        if (answer.headers.get("X-Done")) return;
      } catch {
        // the next time, perhaps
      }
    }
    setTimeout(again, 1000 * (part.dataset.every || 3));
  };
  setTimeout(again, 1000 * (part.dataset.every || 3));
}

// A list of names is added to by picking from those that are known.
for (const list of document.querySelectorAll("textarea[data-names]")) {
  const known = new Set([...document.getElementById(list.dataset.names).options].map((o) => o.value));
  const input = document.createElement("input");
  input.setAttribute("list", list.dataset.names);
  input.setAttribute("aria-label", list.dataset.add);
  input.placeholder = list.dataset.add;
  input.autocomplete = "off";
  const take = () => {
    if (!known.has(input.value)) return false;
    const names = list.value.split(/[,;\n]/).map((name) => name.trim()).filter(Boolean);
    list.value = [...new Set([...names, input.value])].join("\n");
    input.value = "";
    return true;
  };
  input.addEventListener("input", (event) => {
    if (event.inputType === "insertReplacementText" || !event.inputType) take();
  });
  input.addEventListener("change", take);
  input.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    take();
  });
  list.after(input);
}
