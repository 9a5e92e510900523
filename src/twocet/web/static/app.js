// The page: what the visitor wishes is one object; a change of it asks for one picture, never for two at a time.
import { Server } from "./server.js";

const $ = (selector, root = document) => root.querySelector(selector);
const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];

const server = new Server();
const fresh = { kind: null, strength: 1, reference_face: 1, seed: 0, x: 0, y: 0, preset: "" };
const wish = { ...fresh, face: 1, keep: [] };
let edits = {}; // what is wished for the other faces, by their number
const photos = { target: null, reference: null };
let about = { strip: [], presets: [], pad: {}, examples: [], max_bytes: 2e7 };
let changed = null; // when the latest change that is not on screen yet was made
let rendering = false;
let stripTimer = 0;
let stripFor = "";
let presetsFor = "";
let generation = 0; // of targets: an answer for an earlier one is not shown

// --- messages ---------------------------------------------------------------------------------------------------

// What is wrong with a photo stays until another photo is given; what is wrong with a picture, until one succeeds.
function complain(error, about = "photo") {
  const message = $("#message");
  message.textContent = error.message;
  message.dataset.about = about;
  message.hidden = false;
  message.scrollIntoView({ block: "nearest" });
  if (error.gone) startAgain();
}

function say(text) {
  $("#status").textContent = text;
}

function calm() {
  $("#message").hidden = true;
}

async function attempt(work, about) {
  try {
    await work();
  } catch (error) {
    complain(error, about);
  }
}

// --- the picture ------------------------------------------------------------------------------------------------

async function show(image, blob) {
  const url = URL.createObjectURL(blob);
  const ready = new Image();
  ready.src = url;
  await ready.decode();
  if (image.src.startsWith("blob:")) URL.revokeObjectURL(image.src);
  image.src = url;
  image.hidden = false;
}

// What the server is asked for: the chosen face, and what the other ones have got.
function wishes() {
  const others = Object.entries(edits).filter(([face]) => Number(face) !== wish.face).map(([face, edit]) => ({ ...edit, face: Number(face) }));
  return { ...wish, others, strip_private: $("#strip-private").checked };
}

function chooseFace(number) {
  if (wish.kind) edits[wish.face] = { ...wish };
  Object.assign(wish, edits[number] ?? { ...wish, kind: wish.kind }, { face: number });
  setStrengthQuietly(wish.strength);
  stripFor = "";
  zoomTo();
  change();
}

function change() {
  refresh();
  if (!photos.target || !wish.kind) return;
  changed ??= performance.now();
  if (!rendering) render();
}

async function render() {
  rendering = true;
  $("#frame").classList.add("working");
  while (changed !== null) {
    const since = changed;
    const asked = generation;
    changed = null;
    await attempt(async () => {
      const { blob, notes } = await server.render(wishes()).catch((error) => {
        if (asked === generation) throw error;
        return {};
      });
      if (asked !== generation) return;
      await show($("#after"), blob);
      // The bar waits anew: it is for pictures that are long in coming, and to animate it costs more than to show them.
      for (const bar of $("#busy").getAnimations()) bar.currentTime = 0;
      if ($("#message").dataset.about === "picture") calm();
      say(notes.join(" "));
      performance.measure("change", { start: since, end: performance.now() });
      $("#frame").dataset.renders = Number($("#frame").dataset.renders || 0) + 1;
    }, "picture");
  }
  rendering = false;
  $("#frame").classList.remove("working");
  clearTimeout(stripTimer);
  stripTimer = setTimeout(renderSmall, 250);
}

async function renderSmall() {
  await renderStrip();
  await renderPresets();
}

// The continuum is drawn when nothing else is asked for, and only if it would differ.
async function renderStrip() {
  const { strength, ...expression } = wish;
  const key = JSON.stringify([generation, photos.reference?.name, expression]);
  if (rendering || key === stripFor || !photos.target || wish.kind === null || wish.kind === "neutral") return;
  stripFor = key;
  try {
    const { pictures } = await server.strip(wish);
    if (key !== stripFor) return;
    $("#strip").replaceChildren(...pictures.map(stripButton));
    refresh();
  } catch {
    stripFor = ""; // the strip is a convenience: the next change asks again
  }
}

// The visitor's own face with every preset, drawn when the presets are looked at.
async function renderPresets() {
  const key = JSON.stringify([generation, wish.face]);
  if (rendering || key === presetsFor || !photos.target || $("#panel-preset").hidden || !about.presets.length) return;
  presetsFor = key;
  try {
    const { pictures } = await server.presets({ ...wish, kind: "neutral" });
    if (key !== presetsFor) return;
    for (const button of $$("#presets button")) {
      $("img", button).src = pictures[button.dataset.name];
      $("img", button).hidden = false;
    }
  } catch {
    presetsFor = ""; // names alone will do until the next change
  }
}

function stripButton(url, index) {
  const value = about.strip[index];
  const button = document.createElement("button");
  button.type = "button";
  button.dataset.strength = value;
  button.setAttribute("aria-label", `Strength ${value.toFixed(2)}`);
  button.append(Object.assign(new Image(), { src: url, alt: "" }));
  button.onclick = () => setStrength(value);
  return button;
}

function setStrength(value) {
  wish.strength = value;
  $("#strength").value = value;
  change();
}

// --- what is on screen besides the picture ----------------------------------------------------------------------

function refresh() {
  const target = photos.target !== null;
  const edited = target && wish.kind !== null;
  $("#strength").disabled = !edited || wish.kind === "neutral";
  $("#neutral").disabled = !target;
  for (const id of ["compare", "download", "continuum", "save-preset"]) $(`#${id}`).disabled = !edited;
  $("#zoom").disabled = !target;
  $("#batch input").disabled = wish.kind === null;
  $("#all-faces").hidden = !edited || photos.target.faces.length < 2;
  for (const button of $$("#keep button")) press(button, wish.keep.includes(button.dataset.region));
  $("#strength-value").textContent = wish.strength.toFixed(2).replace("-", "−");
  for (const button of $$("#strip button")) press(button, Math.abs(button.dataset.strength - wish.strength) < 0.005);
  for (const button of $$("#presets button")) press(button, wish.kind === "preset" && button.dataset.name === wish.preset);
  for (const box of $$(".drop[data-role=target] .box")) press(box, Number(box.dataset.face) === wish.face);
  for (const box of $$(".drop[data-role=reference] .box")) press(box, Number(box.dataset.face) === wish.reference_face);
  for (const button of $$(".examples button")) press(button, photos[button.dataset.role]?.example === button.dataset.name);
}

function press(button, on) {
  button.setAttribute("aria-pressed", String(on));
}

function comparing(on) {
  press($("#compare"), on);
  $("#frame").classList.toggle("comparing", on);
  for (const element of [$("#split"), ...$$(".tag")]) element.hidden = !on;
}

function startAgain() {
  photos.target = photos.reference = wish.kind = null;
  edits = {};
  generation += 1;
  stripFor = presetsFor = "";
  for (const image of $$("#presets img")) image.hidden = true;
  $("#frame").classList.add("empty");
  $("#frame").style.removeProperty("--ratio");
  $("#welcome").hidden = false;
  $("#before").hidden = $("#after").hidden = true;
  $("#strip").replaceChildren();
  for (const thumb of $$(".thumb, .faces")) thumb.hidden = true;
  comparing(false);
  refresh();
}

// --- photos -----------------------------------------------------------------------------------------------------

async function give(role, file, example = null) {
  if (file && file.size > about.max_bytes) {
    return complain(new Error(`${file.name} has more than ${about.max_bytes / 1e6} MB: choose a smaller version.`));
  }
  const drop = $(`.drop[data-role=${role}]`);
  drop.setAttribute("aria-busy", "true");
  calm();
  if (role === "target") generation += 1;
  say("Looking for the face …");
  await attempt(async () => {
    const photo = example ? await server.giveExample(role, example) : await server.give(role, file);
    const blob = await server.picture(role);
    await take(role, { ...photo, example }, blob);
  });
  say("");
  drop.removeAttribute("aria-busy");
  change();
}

async function take(role, photo, blob) {
  photos[role] = photo;
  const drop = $(`.drop[data-role=${role}]`);
  await show($(".thumb img", drop), blob);
  $(".thumb", drop).hidden = false;
  chooser(role, drop, photo.faces);
  if (role === "target") tellPrivate(photo.private);
  if (role === "target") {
    wish.face = 1;
    edits = {};
    // A new face is shown with the expression, not as neutral as the last one was left.
    if (wish.kind === "neutral") wish.kind = null;
    if (wish.strength === 0) setStrengthQuietly(1);
    generation += 1;
    zoomTo();
    $("#frame").style.setProperty("--ratio", photo.width / photo.height);
    $("#frame").classList.remove("empty");
    $("#welcome").hidden = true;
    $("#after").hidden = true;
    await show($("#before"), blob);
  } else {
    wish.reference_face = 1;
    wish.kind = "reference";
    stripFor = "";
    selectTab($("#tab-reference"));
  }
}

function tellPrivate(kinds) {
  $("#privacy").hidden = kinds.length === 0;
  $("#privacy span").textContent = kinds.join(", ");
  $("#strip-private").checked = false;
}

function chooser(role, drop, faces) {
  for (const box of $$(".box", drop)) box.remove();
  const text = $(".faces", drop);
  text.hidden = faces.length < 2;
  $(".thumb", drop).classList.toggle("many", faces.length > 1);
  if (faces.length < 2) return;
  text.textContent = `${faces.length} faces: choose one in the picture (the largest is chosen). Each keeps what it was given.`;
  faces.forEach((face, index) => {
    const box = document.createElement("button");
    box.type = "button";
    box.className = "box";
    box.dataset.face = index + 1;
    box.setAttribute("aria-label", `Face ${index + 1} of ${faces.length}`);
    ["left", "top", "width", "height"].forEach((side, k) => box.style.setProperty(side, `${100 * face[k]}%`));
    box.append(Object.assign(document.createElement("span"), { textContent: index + 1 }));
    box.onclick = () => {
      if (role === "target") return chooseFace(index + 1);
      wish.reference_face = index + 1;
      change();
    };
    $(".thumb", drop).append(box);
  });
}

for (const drop of $$(".drop")) {
  const role = drop.dataset.role;
  const input = $("input[type=file]", drop);
  input.onchange = () => {
    if (input.files[0]) give(role, input.files[0]);
    input.value = "";
  };
  for (const name of ["dragenter", "dragover"]) {
    drop.addEventListener(name, (event) => {
      event.preventDefault();
      drop.classList.add("over");
    });
  }
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    const file = event.dataTransfer.files[0];
    if (file) give(role, file);
  });
  $(".camera", drop).onclick = () => openCamera(role);
}

// A photo dropped beside a field must not replace the page; one dropped on the stage is the face.
addEventListener("dragover", (event) => event.preventDefault());
addEventListener("drop", (event) => {
  event.preventDefault();
  const file = event.dataTransfer.files[0];
  if (file && event.target.closest?.(".stage")) give("target", file);
});
addEventListener("paste", (event) => {
  const file = [...event.clipboardData.files].find((candidate) => candidate.type.startsWith("image/"));
  if (file) give(photos.target ? "reference" : "target", file);
});

// --- examples ---------------------------------------------------------------------------------------------------

function fillExamples() {
  for (const name of about.examples) {
    const role = name.startsWith("target") ? "target" : "reference";
    const button = document.createElement("button");
    button.type = "button";
    button.dataset.role = role;
    button.dataset.name = name;
    const label = role === "target" ? `Example ${name.replace("target-", "face ")}` : `Example: ${name.split("-").pop()}`;
    button.setAttribute("aria-label", label);
    button.title = label;
    button.append(Object.assign(new Image(), { src: `/examples/${name}.jpg`, alt: "", loading: "lazy" }));
    button.onclick = () => give(role, null, name);
    $(`.examples[data-role=${role}]`).append(button);
  }
  $("#try-example").hidden = $("#welcome .sum").hidden = about.examples.length === 0;
  for (const role of ["target", "reference"]) {
    const name = about.examples.find((example) => example.startsWith(role));
    if (name) $(`#welcome img[data-role=${role}]`).src = `/examples/${name}.jpg`;
  }
  $("#try-example").onclick = async () => {
    await give("target", null, about.examples.find((name) => name.startsWith("target")));
    await give("reference", null, about.examples.find((name) => name.startsWith("reference")));
  };
}

// --- expressions ------------------------------------------------------------------------------------------------

const tabs = $$("[role=tab]");

function selectTab(tab, focus = false) {
  for (const other of tabs) {
    const on = other === tab;
    other.setAttribute("aria-selected", String(on));
    other.tabIndex = on ? 0 : -1;
    $(`#${other.getAttribute("aria-controls")}`).hidden = !on;
  }
  if (focus) tab.focus();
}

for (const tab of tabs) {
  tab.onclick = () => {
    selectTab(tab);
    if (tab.id === "tab-reference" && photos.reference) express({ kind: "reference" });
    if (tab.id === "tab-preset") renderPresets();
  };
  tab.onkeydown = (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const visible = tabs.filter((other) => !other.hidden);
    visible[(visible.indexOf(tab) + step + visible.length) % visible.length].click();
    selectTab(visible[(visible.indexOf(tab) + step + visible.length) % visible.length], true);
  };
}

function express(values) {
  if (wish.kind === "neutral" && wish.strength === 0) setStrengthQuietly(1);
  Object.assign(wish, values);
  if (!photos.target) say("Choose a face first.");
  change();
}

function setStrengthQuietly(value) {
  wish.strength = value;
  $("#strength").value = value;
}

function fillPresets() {
  $("#tab-preset").hidden = about.presets.length === 0;
  $("#presets").replaceChildren();
  for (const name of about.presets) {
    const button = Object.assign(document.createElement("button"), { type: "button" });
    button.dataset.name = name;
    const picture = Object.assign(new Image(), { alt: "", hidden: true });
    button.append(picture, Object.assign(document.createElement("span"), { textContent: name }));
    button.onclick = () => express({ kind: "preset", preset: name });
    $("#presets").append(button);
  }
}

function draw(seed) {
  $("#seed").value = seed;
  express({ kind: "random", seed });
}

$("#random").onclick = () => draw(Math.floor(Math.random() * 1e6));
$("#seed").onchange = () => {
  const seed = Number($("#seed").value);
  if (Number.isInteger(seed) && seed >= 0 && seed < 2 ** 32) draw(seed);
};

const pad = $("#pad");

function place(x, y) {
  const [px, py] = [x, y].map((value) => Math.round(100 * Math.max(-1, Math.min(1, value))) / 100);
  pad.style.setProperty("--x", px);
  pad.style.setProperty("--y", py);
  pad.setAttribute("aria-valuenow", Math.round(100 * px));
  pad.setAttribute("aria-valuetext", `across ${Math.round(100 * px)}, up ${Math.round(100 * py)}`);
  express({ kind: "pad", x: px, y: py });
}

function placeAt(event) {
  const box = pad.getBoundingClientRect();
  const [x, y] = [(2 * (event.clientX - box.left)) / box.width - 1, 1 - (2 * (event.clientY - box.top)) / box.height];
  // Whoever points at a name means it.
  const meant = Object.values(about.pad).find(([px, py]) => Math.hypot(x - px, y - py) < 0.1);
  place(...(meant ?? [x, y]));
}

// The names of the presets where they lie.
function fillPad() {
  for (const post of $$("#pad span")) post.remove();
  for (const [name, [x, y]] of Object.entries(about.pad)) {
    const post = Object.assign(document.createElement("span"), { textContent: name, ariaHidden: "true" });
    post.style.setProperty("--x", x);
    post.style.setProperty("--y", y);
    pad.prepend(post);
  }
}

pad.onpointerdown = (event) => {
  pad.setPointerCapture(event.pointerId);
  placeAt(event);
};
pad.onpointermove = (event) => pad.hasPointerCapture(event.pointerId) && placeAt(event);
pad.onkeydown = (event) => {
  const step = event.shiftKey ? 0.25 : 0.05;
  const moves = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, step], ArrowDown: [0, -step] };
  if (event.key === "Home") place(0, 0);
  else if (moves[event.key]) place(wish.x + moves[event.key][0], wish.y + moves[event.key][1]);
  else return;
  event.preventDefault();
};

// --- strength and actions ---------------------------------------------------------------------------------------

$("#strength").oninput = () => {
  wish.strength = Number($("#strength").value);
  change();
};
$("#neutral").onclick = () => {
  if (wish.kind === null) wish.kind = "neutral";
  setStrength(0);
};
$("#compare").onclick = () => comparing($("#compare").getAttribute("aria-pressed") !== "true");
$("#split").oninput = () => $("#frame").style.setProperty("--split", `${$("#split").value}%`);
for (const button of $$("#keep button")) {
  button.onclick = () => {
    const { region } = button.dataset;
    wish.keep = wish.keep.includes(region) ? wish.keep.filter((other) => other !== region) : [...wish.keep, region];
    stripFor = "";
    change();
  };
}

// The chosen face fills the frame, or the whole picture does.
function zoomTo(on = $("#zoom").getAttribute("aria-pressed") === "true") {
  const style = $("#frame").style;
  press($("#zoom"), on);
  const face = photos.target?.faces[wish.face - 1];
  if (!on || !face) return ["--zoom", "--zoom-x", "--zoom-y"].forEach((name) => style.removeProperty(name));
  const [left, top, width, height] = face;
  const zoom = Math.max(1.5, Math.min(8, 0.85 / Math.max(width, height)));
  // The origin stays in place under scaling: chosen so that the face's middle comes to the frame's.
  const origin = (middle) => Math.max(0, Math.min(1, (zoom * middle - 0.5) / (zoom - 1)));
  style.setProperty("--zoom", zoom);
  style.setProperty("--zoom-x", `${100 * origin(left + width / 2)}%`);
  style.setProperty("--zoom-y", `${100 * origin(top + height / 2)}%`);
}
$("#zoom").onclick = () => zoomTo($("#zoom").getAttribute("aria-pressed") !== "true");

$("#all-faces").onclick = () => {
  photos.target.faces.forEach((_, index) => (edits[index + 1] = { ...wish, face: index + 1 }));
  change();
};

// Takes a file away when it is made, and says so.
async function takeAway(making, make, said) {
  say(making);
  await attempt(async () => {
    const { blob, name } = await make();
    const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
    say(`${name} ${said}`);
  }, "picture");
  refresh();
}

$("#download").onclick = () => {
  $("#download").disabled = true;
  takeAway("Making the picture at its full size …", () => server.download(wishes()), "carries a mark that says that a model changed it.");
};
$("#continuum").onclick = () => {
  $("#continuum").disabled = true;
  takeAway("Making eleven pictures from neutral to this strength …", () => server.continuum(wishes()), "holds eleven pictures.");
};
$("#batch input").onchange = async () => {
  const files = [...$("#batch input").files];
  $("#batch input").value = "";
  const failed = [];
  for (const [index, file] of files.entries()) {
    say(`Photo ${index + 1} of ${files.length} …`);
    await server.finish(file, wishes()).catch((error) => failed.push(error.message));
  }
  if (failed.length) complain(new Error(`${failed.length} of ${files.length} photos failed: ${failed.join(" ")}`), "picture");
  if (files.length > failed.length) await takeAway("Packing …", () => server.fetch(), `holds ${files.length - failed.length} pictures.`);
};
$("#save-preset").onclick = async () => {
  const name = prompt("Name of the preset (letters, digits, - and _):");
  if (!name) return;
  await attempt(async () => {
    about = await server.savePreset(name, wish);
    fillPresets();
    fillPad();
    presetsFor = "";
    say(`${name} is among your presets now, here and for --preset ${name}.`);
    refresh();
  }, "picture");
};

// --- camera -----------------------------------------------------------------------------------------------------

const camera = $("#camera");
let cameraRole = "target";

async function openCamera(role) {
  cameraRole = role;
  try {
    $("video").srcObject = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 1280 }, facingMode: "user" } });
  } catch {
    return complain(new Error("The camera cannot be used: allow it in the browser, or choose a photo. (Browsers give it only to this computer and to https.)"));
  }
  camera.showModal();
}

$("#shoot").onclick = async () => {
  const video = $("video");
  const canvas = Object.assign(document.createElement("canvas"), { width: video.videoWidth, height: video.videoHeight });
  canvas.getContext("2d").drawImage(video, 0, 0);
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.95));
  camera.close();
  give(cameraRole, new File([blob], "camera.jpg", { type: "image/jpeg" }));
};
$("#camera-close").onclick = () => camera.close();
camera.onclose = () => {
  for (const track of $("video").srcObject?.getTracks() ?? []) track.stop();
  $("video").srcObject = null;
};

// --- begin and end ----------------------------------------------------------------------------------------------

addEventListener("pagehide", () => server.leave());
addEventListener("pageshow", (event) => event.persisted && startAgain());

attempt(async () => {
  about = await server.about();
  fillExamples();
  fillPresets();
  fillPad();
  $("#save-preset").hidden = !about.may_save;
  refresh();
  document.documentElement.dataset.ready = "true";
});
