// Moments in the zone and the words of whoever looks.
for (const time of document.querySelectorAll("time")) {
  const moment = new Date(time.dataset.ms ? Number(time.dataset.ms) : time.dateTime);
  if (!Number.isNaN(moment.getTime())) {
    time.title = moment.toISOString();
    time.textContent = moment.toLocaleString(document.documentElement.lang, { hour12: false }) + "." + String(moment.getMilliseconds()).padStart(3, "0");
  }
}
