"use strict";
/* The two kinds of pages that jsPsych runs through: a text with a button, and a trial. */

const { ParameterType } = jsPsychModule;

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name in element) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

class ScreenPlugin {
  static info = {
    name: "screen",
    version: "1.0.0",
    parameters: {
      heading: { type: ParameterType.STRING },
      paragraphs: { type: ParameterType.STRING, array: true },
      button: { type: ParameterType.STRING },
      agree: { type: ParameterType.STRING, default: null },
    },
    data: {},
  };

  constructor(jsPsych) {
    this.jsPsych = jsPsych;
  }

  trial(display, trial) {
    const button = make("button", { type: "submit", textContent: trial.button });
    const form = make("form", { className: "card screen" }, make("h1", { textContent: trial.heading }));
    form.append(...trial.paragraphs.map((text) => make("p", { textContent: text })));
    if (trial.agree) {
      const box = make("input", { type: "checkbox", required: true });
      button.disabled = true;
      box.addEventListener("change", () => { button.disabled = !box.checked; });
      form.append(make("label", { className: "agree" }, box, make("span", { textContent: trial.agree })));
    }
    form.append(button);
    display.replaceChildren(form);
    scrollTo(0, 0);
    if (!trial.agree) button.focus();
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.jsPsych.finishTrial({});
    });
  }
}

class FacesPlugin {
  static info = {
    name: "faces",
    version: "1.0.0",
    parameters: {
      item: { type: ParameterType.OBJECT },
      item_id: { type: ParameterType.STRING },
      number: { type: ParameterType.INT },
      trials: { type: ParameterType.INT },
      texts: { type: ParameterType.OBJECT },
    },
    data: { answers: { type: ParameterType.OBJECT } },
  };

  constructor(jsPsych) {
    this.jsPsych = jsPsych;
  }

  async trial(display, trial) {
    const { item, texts } = trial;
    const pictures = this.pictures(item, texts);
    const groups = texts.questions.map((question, number) => this.question(question, item, number, texts));
    const next = make("button", { type: "submit", textContent: texts.next, disabled: true });
    const form = make("form", { className: "questions" }, ...groups, make("div", { className: "row" }, next));
    const progress = texts.progress.replace("{number}", trial.number).replace("{trials}", trial.trials);
    const bar = make("progress", { max: trial.trials, value: trial.number - 1, ariaLabel: progress });
    const head = make("div", { className: "progress" }, bar, make("span", { textContent: progress }));
    const main = make("main", { className: `trial ${item.results.length > 1 ? "comparison" : "rating"}` }, head, pictures, form);
    main.dataset.item = trial.item_id;
    display.replaceChildren(main);
    scrollTo(0, 0);
    const images = [...main.querySelectorAll("img")];
    await Promise.all(images.map((image) => image.decode().catch(() => this.complain(image, texts))));
    main.classList.add("shown");
    const answers = await this.ask(form, groups, next);
    this.jsPsych.finishTrial({ item_id: trial.item_id, answers });
  }

  pictures(item, texts) {
    const figure = (kind, file, label, note) => make(
      "figure", { className: kind },
      make("img", { src: `stimuli/${file}`, alt: label, draggable: false }),
      make("figcaption", {}, make("b", { textContent: label }), ...(note ? [` ${note}`] : [])),
    );
    return make(
      "div", { className: "pictures" },
      make("div", { className: "given" },
        figure("target", item.target, texts.target, texts.target_note),
        figure("reference", item.reference, texts.reference, texts.reference_note)),
      make("div", { className: "results" }, ...item.results.map((file, k) => figure("result", file, texts.results[k]))),
    );
  }

  question(question, item, number, texts) {
    const text = item.check
      ? texts.check.replace("{answer}", question.options[item.check[number] - 1])
      : question.text;
    const options = question.options.map((option, k) => make(
      "label", {},
      make("input", { type: "radio", name: question.name, value: String(k + 1), required: true }),
      make("span", {}, make("kbd", { textContent: String(k + 1), ariaHidden: "true" }), option),
    ));
    return make("fieldset", {}, make("legend", { textContent: text }), make("div", { className: "options" }, ...options));
  }

  complain(image, texts) {
    image.replaceWith(make("p", { className: "broken", textContent: texts.broken_picture }));
  }

  /* Resolves to {question: {response, rt_ms}} once all are answered and the rater goes on. Times count from the pictures. */
  ask(form, groups, next) {
    const begun = performance.now();
    const answers = {};
    let active = 0;
    const activate = (number) => {
      active = number;
      groups.forEach((group, k) => group.classList.toggle("active", k === active));
    };
    activate(0);
    form.addEventListener("change", ({ target }) => {
      answers[target.name] = { response: Number(target.value), rt_ms: Math.round(performance.now() - begun) };
      const open = groups.findIndex((group) => !group.querySelector("input:checked"));
      next.disabled = open >= 0;
      activate(open >= 0 ? open : groups.findIndex((group) => group.contains(target)));
    });
    form.addEventListener("focusin", ({ target }) => {
      const number = groups.findIndex((group) => group.contains(target));
      if (number >= 0 && target.matches(":focus-visible")) activate(number);
    });
    return new Promise((resolve) => {
      const press = (event) => {
        if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
        const choice = groups[active].querySelector(`input[value="${CSS.escape(event.key)}"]`);
        if (choice) choice.click();
        else if (event.key === "Enter" && !next.disabled && event.target.tagName !== "BUTTON") next.click();
        else return;
        event.preventDefault();
      };
      document.addEventListener("keydown", press);
      form.addEventListener("submit", (event) => {
        event.preventDefault();
        document.removeEventListener("keydown", press);
        resolve(answers);
      });
    });
  }
}
