"use strict";
/* The course of the study: consent, instructions, trials with breaks, the end; or on from where a rater stopped. */

(async function run() {
  const study = window.STUDY;
  const { texts } = study;
  const stage = document.querySelector("#stage");
  const notice = document.querySelector("#notice");
  const withdraw = document.querySelector("#withdraw");
  const jsPsych = initJsPsych({ display_element: "stage" });
  const session = new Session(study);
  const collector = new Collector(session, onDelivery);
  document.title = texts.title;
  document.documentElement.lang = texts.language;
  prepareWithdrawal();

  const begun = session.state !== null;
  if (!begun) {
    const offered = await collector.enter();
    const list = offered ?? listFromAddress() ?? Math.floor(Math.random() * study.lists.length);
    session.draw(list, offered !== null, jsPsych.randomization.shuffle);
  }
  if (!session.state.ended) {
    withdraw.hidden = !begun;
    collector.deliver();
    await jsPsych.run([...opening(begun), ...trials()]);
    if (!session.state.ended) session.end("end");
  }
  conclude();

  function listFromAddress() {
    const number = Number.parseInt(new URLSearchParams(location.search).get("list"), 10);
    return number >= 1 && number <= study.lists.length ? number - 1 : null;
  }

  /* What comes before the trials. */
  function opening(begun) {
    const { next, order } = session.state;
    const counted = { number: next, trials: order.length, questions: texts.questions.length, minutes: study.minutes };
    const consent = {
      type: ScreenPlugin, heading: texts.title, agree: texts.agree, button: texts.begin,
      paragraphs: texts.consent.map((text) => filled(text, counted)),
      on_finish: () => {
        session.begin();
        collector.deliver();
        withdraw.hidden = false;
      },
    };
    const instructions = {
      type: ScreenPlugin, heading: texts.instructions_title, button: texts.start,
      paragraphs: [...texts.instructions, ...(matchMedia("(pointer: coarse)").matches ? [] : [texts.keys])],
    };
    const resume = {
      type: ScreenPlugin, heading: texts.resume_title, button: texts.continue, paragraphs: [filled(texts.resume, counted)],
    };
    if (!begun) return [consent, instructions];
    return next > 0 ? [resume] : [instructions];
  }

  /* The trials that are left, with a break before each round but the first. */
  function trials() {
    const { next, order } = session.state;
    const parts = order.filter((place) => place.break).length + 1;
    const timeline = [];
    let part = 1;
    order.forEach((place, number) => {
      if (place.break) part += 1;
      if (number < next) return;
      if (place.break && number > next) timeline.push(breakScreen(part - 1, parts));
      timeline.push(trialOf(place.item, number));
    });
    return timeline;
  }

  function breakScreen(part, parts) {
    return {
      type: ScreenPlugin, heading: texts.break_title, button: texts.continue,
      paragraphs: [filled(texts.break, { part, parts })],
    };
  }

  function trialOf(item_id, number) {
    const { order } = session.state;
    return {
      type: FacesPlugin, item: study.items[item_id], item_id, number: number + 1, trials: order.length, texts,
      on_load: () => order.slice(number + 1, number + 3).forEach((place) => prefetch(study.items[place.item])),
      on_finish: (data) => {
        if (session.state.ended) return; // withdrawn within the trial
        session.answer(data.answers);
        collector.deliver();
      },
    };
  }

  function prefetch(item) {
    for (const file of [item.target, item.reference, ...item.results]) new Image().src = `stimuli/${file}`;
  }

  function conclude() {
    withdraw.hidden = true;
    collector.deliver();
    const { ended, collected } = session.state;
    if (ended === "withdraw") show(texts.withdrawn_title, [texts.withdrawn]);
    else if (collected) onDelivery();
    else showSaved(save());
  }

  function onDelivery() {
    const { ended, unsent } = session.state ?? {};
    notice.hidden = !collector.failed;
    notice.textContent = texts.unsent;
    if (ended !== "end") return;
    if (unsent.length) show(texts.thanks_title, [texts.sending], collector.failed ? [saveButton()] : []);
    else show(texts.thanks_title, [texts.sent], [otherRater()]);
  }

  function showSaved(file) {
    show(texts.thanks_title, [filled(texts.save, { file })], [saveButton(), otherRater()]);
  }

  function show(heading, paragraphs, buttons = []) {
    const lines = paragraphs.map((text) => make("p", { textContent: text }));
    const card = make("div", { className: "card screen" }, make("h1", { textContent: heading }), ...lines);
    if (buttons.length) card.append(make("div", { className: "row" }, ...buttons));
    stage.replaceChildren(card);
  }

  function save() {
    const file = `responses-${study.study_id}-${session.state.rater_id}.csv`;
    const address = URL.createObjectURL(new Blob([session.csv()], { type: "text/csv" }));
    make("a", { href: address, download: file }).click();
    setTimeout(() => URL.revokeObjectURL(address), 60000);
    return file;
  }

  function saveButton() {
    return make("button", { type: "button", textContent: texts.save_again, onclick: save });
  }

  function otherRater() {
    const again = () => {
      session.forget();
      location.reload();
    };
    return make("button", { type: "button", className: "quiet", textContent: texts.other_rater, onclick: again });
  }

  function prepareWithdrawal() {
    const dialog = document.querySelector("#withdraw-dialog");
    const [no, yes] = dialog.querySelectorAll("button");
    withdraw.textContent = texts.withdraw;
    dialog.querySelector("p").textContent = texts.withdraw_question;
    no.textContent = texts.withdraw_no;
    yes.textContent = texts.withdraw_yes;
    withdraw.addEventListener("click", () => dialog.showModal());
    no.addEventListener("click", () => dialog.close());
    // Or the next Enter, meant for a trial, would press it again.
    dialog.addEventListener("close", () => withdraw.blur());
    yes.addEventListener("click", () => {
      dialog.close();
      session.end("withdraw");
      jsPsych.abortExperiment();
    });
  }

  function filled(text, values) {
    return Object.entries(values).reduce((result, [name, value]) => result.replace(`{${name}}`, value), text);
  }
})();
