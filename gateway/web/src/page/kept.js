// What a person chose for the page (language, light or dark, whether the inspector is open), kept in this browser
// where it lets us. Never a token, never a message.

const prefix = "fliliy-chat.";

export function kept(name) {
  try {
    return localStorage.getItem(prefix + name);
  } catch {
    return null;
  }
}

export function keep(name, value) {
  try {
    localStorage.setItem(prefix + name, value);
  } catch {
    // A browser that keeps nothing asks again the next time.
  }
}
