/* Speaks to the REST API in the name of the person who is logged in.

   send() never throws: whatever happens comes back as a value whose `sentence` can be shown.
   Only what never reached an answer (no network, a gateway that is restarting) is tried again. */

const PAUSES = [500, 1500, 4000]; // milliseconds before the second, third and fourth attempt
const UNREACHED = new Set([502, 503, 504]);
const SENTENCES = {
  0: "The server could not be reached. Nothing was changed; try again in a moment.",
  401: "You are logged off. Log in again in another tab, then try again.",
  403: "You are not allowed to do this.",
  404: "This is not there any more. Reload the page.",
  413: "This is larger than the server accepts.",
  429: "Too many requests at once. Wait a minute, then try again.",
};

/* The cookie first: after a new log-in in another tab the page's own token is an old one. */
export function csrfToken() {
  const cookie = document.cookie.match(/(?:^|;\s*)csrftoken=([^;]+)/);
  if (cookie) return cookie[1];
  const named = parse(document.body.getAttribute("hx-headers") ?? "");
  return named?.["X-CSRFToken"] ?? "";
}

export function pause(milliseconds) {
  return new Promise((resolve) => {
    setTimeout(resolve, milliseconds);
  });
}

/* Try `attempt` until it reaches an answer, with growing pauses between. It returns {status}. */
export async function withBackOff(attempt, { pauses = PAUSES, waiting = () => {} } = {}) {
  for (const wait of [...pauses, null]) {
    const answer = await attempt();
    const unreached = answer.status === 0 || UNREACHED.has(answer.status);
    if (!unreached || wait === null) return answer;
    waiting(wait);
    await pause(wait);
  }
  return null;
}

/* What an answer says to a person, also where it is no JSON. */
export function sentenceOf(status, data) {
  if (data && typeof data === "object") {
    if (typeof data.detail === "string") return data.detail;
    const [first] = Object.values(data).flat().filter((value) => typeof value === "string");
    if (first && status >= 400) return first;
  }
  if (SENTENCES[status]) return SENTENCES[status];
  if (UNREACHED.has(status)) return SENTENCES[0];
  if (status >= 500) return "The server failed. What was saved before is kept; try again.";
  return status >= 400 ? "The server refused this." : "";
}

export function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/* Send JSON or a FormData. `background: true` for what no person asked for: it does not count as
   activity and lets an idle session end. */
export async function send(method, url, body, { background = false, retry = true } = {}) {
  const headers = { Accept: "application/json", "X-CSRFToken": csrfToken() };
  if (background) headers["X-Background"] = "true";
  let content;
  if (body instanceof FormData) {
    content = body;
  } else if (body !== undefined && body !== null) {
    headers["Content-Type"] = "application/json";
    content = JSON.stringify(body);
  }
  const attempt = async () => {
    try {
      const answer = await fetch(url, {
        method,
        headers,
        body: content,
        credentials: "same-origin",
        cache: "no-store",
      });
      const text = await answer.text();
      // A redirect to the log-in page ends in HTML: the session is over.
      const offPage = answer.redirected && !answer.headers.get("Content-Type")?.includes("json");
      return { status: offPage ? 401 : answer.status, text };
    } catch {
      return { status: 0, text: "" };
    }
  };
  const { status, text } = await withBackOff(attempt, retry ? {} : { pauses: [] });
  const data = text ? parse(text) : null;
  return {
    ok: status >= 200 && status < 300,
    status,
    data,
    sentence: sentenceOf(status, data),
  };
}
