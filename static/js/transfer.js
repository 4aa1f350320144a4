/* Carries one file to the API and tells how far it is; a lost connection is tried again. */

import { csrfToken, parse, sentenceOf, withBackOff } from "./api.js";

const STUCK = 60_000; // milliseconds without a byte moving, or an answer coming

/* Returns {status, data, sentence}; never throws. `tell(share)` hears how much has left, and
   `waiting(milliseconds)` that the connection is lost and when it is tried again. */
export async function transfer(url, file, { tell, waiting }) {
  const { status, text } = await withBackOff(() => attempt(url, file, tell), { waiting });
  const data = parse(text);
  return { status, data, sentence: sentenceOf(status, data) };
}

function attempt(url, file, tell) {
  return new Promise((resolve) => {
    const request = new XMLHttpRequest();
    let watch;
    const stillMoving = () => {
      clearTimeout(watch);
      watch = setTimeout(() => request.abort(), STUCK);
    };
    const end = (status, text) => {
      clearTimeout(watch);
      resolve({ status, text });
    };
    request.open("POST", url);
    request.setRequestHeader("Accept", "application/json");
    request.setRequestHeader("X-CSRFToken", csrfToken());
    request.upload.onprogress = (event) => {
      stillMoving();
      if (event.lengthComputable) tell(event.loaded / event.total);
    };
    request.onload = () => end(request.status, request.responseText);
    request.onerror = () => end(0, "");
    request.onabort = () => end(0, "");
    const form = new FormData();
    form.append("file", file, file.name);
    stillMoving();
    request.send(form);
  });
}
