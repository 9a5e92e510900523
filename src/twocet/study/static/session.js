"use strict";
/* One rater's session: an order of trials, the answers so far, and what the server has not yet confirmed.
   It is kept in the browser after every answer, so that a reload, a closed tab or a dead connection loses nothing. */

const COLUMNS = ["study_id", "rater_id", "trial_index", "item_id", "question", "response", "rt_ms", "started_at", "device"];

class Session {
  constructor(study) {
    this.study = study;
    this.key = `twocet-study-${study.study_id}`;
    this.state = this.load();
  }

  load() {
    try {
      return JSON.parse(localStorage.getItem(this.key));
    } catch {
      return null; // no storage, or damaged: begin anew
    }
  }

  save() {
    try {
      localStorage.setItem(this.key, JSON.stringify(this.state));
    } catch {
      // Without storage the session lasts as long as the page.
    }
  }

  /* Draws a new session, which counts and is kept once the rater has agreed. */
  draw(list, collected, shuffle) {
    this.state = {
      rater_id: randomId(), list, collected, order: this.order(list, shuffle), next: 0, answers: [], unsent: [],
      started_at: "", device: kindOfDevice(), ended: null,
    };
  }

  begin() {
    this.state.started_at = new Date().toISOString();
    this.queue({ type: "begin", list: this.state.list });
    this.save();
  }

  /* Rounds one after the other, each shuffled; checks fall evenly over all, at random places of their stretch, none first. */
  order(list, shuffle) {
    const target = (item) => this.study.items[item].target;
    const order = [];
    for (const round of this.study.lists[list]) {
      const trials = shuffle([...round]);
      // The same face does not come twice in a row where two rounds meet.
      if (trials.length > 1 && order.length && target(order.at(-1).item) === target(trials[0])) trials.push(trials.shift());
      trials.forEach((item, place) => order.push({ item, break: place === 0 && order.length > 0 }));
    }
    const checks = shuffle([...this.study.checks]);
    const stretch = order.length / Math.max(1, checks.length);
    checks.forEach((item, number) => {
      const place = number + Math.floor((number + Math.random()) * stretch);
      order.splice(Math.max(1, Math.min(place, order.length)), 0, { item, break: false });
    });
    return order;
  }

  /* Keeps the answers of one trial: {question: {response, rt_ms}}. */
  answer(answers) {
    const item_id = this.state.order[this.state.next].item;
    for (const [question, given] of Object.entries(answers)) {
      const row = { trial_index: this.state.next, item_id, question, ...given };
      this.state.answers.push(row);
      this.queue({ type: "answer", ...row });
    }
    this.state.next += 1;
    this.save();
  }

  end(how) {
    this.state.ended = how;
    if (how === "withdraw") {
      this.state.answers = [];
      this.state.unsent = this.state.unsent.filter((record) => record.type === "begin");
    }
    this.queue({ type: how });
    this.save();
  }

  forget() {
    try {
      localStorage.removeItem(this.key);
    } catch {
      // nothing was kept
    }
    this.state = null;
  }

  queue(record) {
    const { rater_id, started_at, device } = this.state;
    this.state.unsent.push({ study_id: this.study.study_id, rater_id, started_at, device, ...record });
  }

  /* The answers as a table for the researcher. */
  csv() {
    const { rater_id, started_at, device, answers } = this.state;
    const about = { study_id: this.study.study_id, rater_id, started_at, device };
    const rows = answers.map((row) => COLUMNS.map((name) => quoted({ ...about, ...row }[name])).join(","));
    return [COLUMNS.join(","), ...rows, ""].join("\n");
  }
}

function quoted(value) {
  const text = String(value);
  return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function randomId() {
  return [...crypto.getRandomValues(new Uint8Array(8))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function kindOfDevice() {
  if (!matchMedia("(pointer: coarse)").matches) return "computer";
  return Math.min(screen.width, screen.height) < 600 ? "phone" : "tablet";
}

/* Hands records to `twocet study serve`. On the disk, or on a host that only shows files, there is nobody to take them. */
class Collector {
  constructor(session, onChange) {
    this.session = session;
    this.onChange = onChange;
    this.working = false;
    this.failed = false;
  }

  /* A list of trials from the server; null where nobody collects. A server that is restarting is waited for. */
  async enter() {
    if (!location.protocol.startsWith("http")) return null;
    for (let wait = 500; ; wait = Math.min(2 * wait, 8000)) {
      try {
        const answer = await fetch("api/enter", { method: "POST" });
        return answer.ok ? (await answer.json()).list : null;
      } catch {
        await pause(wait);
      }
    }
  }

  /* Sends what is unsent until all has arrived; one call at a time does the work. */
  async deliver() {
    const { state } = this.session;
    if (this.working || !state?.collected) return;
    this.working = true;
    for (let wait = 500; state.unsent.length; ) {
      const records = state.unsent.slice(0, 100);
      try {
        const body = JSON.stringify({ records });
        const headers = { "Content-Type": "application/json" };
        const answer = await fetch("api/records", { method: "POST", body, headers, keepalive: body.length < 60000 });
        if (!answer.ok) throw new Error(answer.status);
        // A withdrawal may have emptied the queue meanwhile: take out what was sent and nothing else.
        state.unsent = state.unsent.filter((record) => !records.includes(record));
        if (this.session.state === state) this.session.save();
        this.failed = false;
        wait = 500;
      } catch {
        this.failed = true;
        this.onChange();
        await pause(wait);
        wait = Math.min(2 * wait, 8000);
      }
    }
    this.working = false;
    this.onChange();
  }
}

function pause(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
