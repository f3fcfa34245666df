// What makes the hosted pages nicer. Each page works without it.
"use strict";

// A button that shows what is typed, since a person who cannot see it types weaker passwords (NIST SP 800-63B §3.1.1.2).
for (const field of document.querySelectorAll("[data-password]")) {
  const input = field.querySelector("input");
  const label = field.querySelector("label").textContent.trim();
  const button = document.createElement("button");
  button.type = "button";
  const draw = (shown) => {
    input.type = shown ? "text" : "password";
    button.textContent = shown ? "Hide" : "Show";
    button.setAttribute("aria-label", `${shown ? "Hide" : "Show"} ${label.toLowerCase()}`);
  };
  button.addEventListener("click", () => draw(input.type === "password"));
  // A shown password must not be kept by the browser as an ordinary text of forms.
  input.form.addEventListener("submit", () => draw(false));
  draw(false);
  input.after(button);
}

// The live checklist of a new password. The server judges, by the same list of patterns; this only tells early.
for (const list of document.querySelectorAll("[data-checklist]")) {
  const input = document.getElementById(list.dataset.checklist);
  const status = document.querySelector("[data-checklist-status]");
  const items = [...list.querySelectorAll("[data-pattern]")];
  const rules = items.map((item) => [item, new RegExp(item.dataset.pattern, "u")]);
  const judge = () => {
    const text = input.value.normalize("NFC");
    let open = 0;
    for (const [item, pattern] of rules) {
      const met = pattern.test(text);
      open += met ? 0 : 1;
      if ("quiet" in item.dataset) item.hidden = met;
      item.classList.toggle("passwordCheck-valid-customizable", input.value !== "" && met);
      item.classList.toggle("passwordCheck-notValid-customizable", input.value !== "" && !met);
    }
    return open;
  };
  let timer;
  input.addEventListener("input", () => {
    const open = judge();
    // Said after a pause, so that a screen reader does not speak over each key.
    clearTimeout(timer);
    timer = setTimeout(() => {
      const left = open === 1 ? "1 requirement is left" : `${open} requirements are left`;
      status.textContent = open === 0 ? "The password meets every requirement" : left;
    }, 700);
  });
  judge();
}

// One click, one request: the second of a double click would spend a code twice.
for (const form of document.querySelectorAll("form")) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) {
      event.preventDefault();
      return;
    }
    form.dataset.sent = "yes";
    event.submitter?.setAttribute("aria-disabled", "true");
  });
}
// A page that comes back from the browser's cache can be sent again.
addEventListener("pageshow", (event) => {
  if (!event.persisted) return;
  for (const form of document.querySelectorAll("form")) {
    delete form.dataset.sent;
    form.querySelector("[aria-disabled]")?.removeAttribute("aria-disabled");
  }
});

// The mailbox looks for new mail while somebody looks at it.
if (document.body.hasAttribute("data-mailbox")) {
  setInterval(() => {
    if (document.visibilityState === "visible" && !getSelection().toString()) location.reload();
  }, 5000);
}
