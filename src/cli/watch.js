// The live form of a run's page: whenever there is a new one, its contents take the place of the old ones.
new EventSource("events").onmessage = async () => {
  const page = await fetch(".");
  if (!page.ok) return;
  const fresh = new DOMParser().parseFromString(await page.text(), "text/html");
  const folds = [...document.querySelectorAll("details")].map((fold) => fold.open);
  document.querySelector("main").replaceWith(fresh.querySelector("main"));
  document.querySelectorAll("details").forEach((fold, i) => { if (i in folds) fold.open = folds[i]; });
  document.title = fresh.title;
};
