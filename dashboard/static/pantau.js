// What the pages do beyond links and forms; they work without it.

// Keys: / searches, j and k go through the list, Enter opens, ? shows the keys.
const typing = (element) => element.closest("input, textarea, select, [contenteditable]");

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
  if (localStorage.getItem("keys") === "off") return;
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

// The page's own place in the menu is in sight, on a phone too.
const ownPlace = document.querySelector(".top nav [aria-current]");
if (ownPlace) ownPlace.parentElement.scrollLeft = ownPlace.offsetLeft - 16;

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
        if (answer.headers.get("X-Done")) {
          if ("reload" in part.dataset) location.reload(); // what can be done now is another thing
          return;
        }
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

// Keys that press what has them (data-key), "?" that shows them all, and a way to turn them off.
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  const into = event.target.closest("input:not([type=radio], [type=checkbox]), textarea, select");
  if (into || localStorage.getItem("keys") === "off") return;
  const keys = document.querySelector("details.keys");
  if (event.key === "?" && keys) {
    keys.open = !keys.open;
    if (keys.open) keys.scrollIntoView({ block: "nearest" });
  }
  const wanted = document.querySelector(`[data-key="${CSS.escape(event.key)}"]`);
  if (!wanted) return;
  event.preventDefault();
  if (wanted.tagName === "OPTION") {
    wanted.selected = true;
    wanted.parentElement.focus({ preventScroll: true });
    wanted.parentElement.blur();
  } else {
    wanted.click();
  }
});

for (const box of document.querySelectorAll("input[data-keys]")) {
  box.checked = localStorage.getItem("keys") !== "off";
  box.addEventListener("change", () => {
    if (box.checked) localStorage.removeItem("keys");
    else localStorage.setItem("keys", "off");
  });
}

// Filters are folded away where there is no room beside the list.
for (const part of document.querySelectorAll("details[data-fold]")) {
  const narrow = window.matchMedia("(max-width: 56rem)");
  const fold = () => {
    part.open = !narrow.matches;
  };
  fold();
  narrow.addEventListener("change", fold);
}

// A province that is chosen offers its regencies.
for (const select of document.querySelectorAll("select[data-fills]")) {
  select.addEventListener("change", async () => {
    const answer = await fetch(`/findings/regencies?province=${select.value}`);
    if (answer.ok && !answer.redirected) {
      document.getElementById(select.dataset.fills).innerHTML = await answer.text();
    }
  });
}
