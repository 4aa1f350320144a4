/* Passkeys: asks the server what to ask, the browser for the answer, and puts it into the form.
   Without this script, or in a browser without passkeys, the field for a code is there. */

import { send } from "./api.js";

const CANCELLED = "The browser gave no passkey: it was cancelled, or took too long. Try again.";

function bytes(text) {
  const base64 = text.replaceAll("-", "+").replaceAll("_", "/");
  return Uint8Array.from(atob(base64), (character) => character.codePointAt(0));
}

function text(buffer) {
  const characters = String.fromCodePoint(...new Uint8Array(buffer));
  return btoa(characters).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

function descriptors(list) {
  return (list ?? []).map((one) => ({ ...one, id: bytes(one.id) }));
}

/* What the browser gave, in the words of the standard's JSON. */
function answer(credential) {
  const response = {};
  for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature"]) {
    if (credential.response[name]) response[name] = text(credential.response[name]);
  }
  return JSON.stringify({
    id: credential.id,
    rawId: credential.id,
    type: credential.type,
    response,
  });
}

async function make(url) {
  const { ok, data, sentence } = await send("POST", url);
  if (!ok) throw new Error(sentence);
  const options = data.publicKey;
  const credential = await navigator.credentials.create({
    publicKey: {
      ...options,
      challenge: bytes(options.challenge),
      user: { ...options.user, id: bytes(options.user.id) },
      excludeCredentials: descriptors(options.excludeCredentials),
    },
  });
  return answer(credential);
}

async function use(url) {
  const { ok, data, sentence } = await send("POST", url);
  if (!ok) throw new Error(sentence);
  const options = data.publicKey;
  const credential = await navigator.credentials.get({
    publicKey: {
      ...options,
      challenge: bytes(options.challenge),
      allowCredentials: descriptors(options.allowCredentials),
    },
  });
  return answer(credential);
}

function sentenceOf(error) {
  if (error.name === "InvalidStateError") return "This passkey is set up already.";
  return error.name === "NotAllowedError" || error.name === "AbortError" ? CANCELLED : error.message;
}

function offerToUse(part) {
  const button = part.querySelector("[data-passkey-use]");
  const state = part.querySelector("[data-passkey-state]");
  const form = part.closest("form");
  part.hidden = false;
  button.addEventListener("click", async () => {
    button.disabled = true;
    state.textContent = "Follow what the browser asks …";
    try {
      form.elements.passkey.value = await use(button.dataset.challenge);
      state.textContent = "The passkey is given.";
      // At log-in there is nothing else to fill in.
      if ("sendPasskey" in form.dataset) form.requestSubmit();
    } catch (error) {
      form.elements.passkey.value = "";
      state.textContent = sentenceOf(error);
    } finally {
      button.disabled = false;
    }
  });
}

function makeBeforeSending(form) {
  const state = form.querySelector("[data-make-state]");
  form.addEventListener("submit", async (event) => {
    if (form.elements.made.value) return;
    event.preventDefault();
    state.textContent = "Follow what the browser asks …";
    try {
      form.elements.made.value = await make(form.dataset.offer);
      form.submit();
    } catch (error) {
      state.textContent = sentenceOf(error);
    }
  });
}

const makes = document.querySelector("[data-make-passkey]");
if ("PublicKeyCredential" in window) {
  for (const part of document.querySelectorAll("[data-passkey]")) offerToUse(part);
  if (makes) makeBeforeSending(makes);
} else if (makes) {
  makes.querySelector("[data-make-state]").textContent =
    "This browser has no passkeys, or the site was not opened by HTTPS.";
}
