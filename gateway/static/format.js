// Numbers and names as people read them.

const UNITS = ["bytes", "kB", "MB", "GB", "TB", "PB"];

export function bytes(count) {
  let step = 0;
  let value = count;
  while (value >= 999.5 && step < UNITS.length - 1) {
    value /= 1000;
    step += 1;
  }
  return `${value.toLocaleString("en", { maximumSignificantDigits: step ? 3 : 15 })} ${UNITS[step]}`;
}

export const whole = (count) => count.toLocaleString("en");

export function number(value) {
  if (value == null) return "no data";
  return value.toLocaleString("en", { maximumSignificantDigits: 7, useGrouping: Math.abs(value) >= 10000 });
}

export function place(lon, lat) {
  const part = (value, plus, minus) => `${Math.abs(value).toFixed(4)}° ${value < 0 ? minus : plus}`;
  return `${part(lat, "N", "S")}, ${part(lon, "E", "W")}`;
}

export const day = (text) => new Date(text).toLocaleString("en", { dateStyle: "medium", timeStyle: "short" });

export const WHO = {
  public: "everybody",
  internal: "everybody who is signed in",
  private: "its owner and those who were granted it",
};
