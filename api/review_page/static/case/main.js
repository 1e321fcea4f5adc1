// The page of one image: hovering links sentences, crops and boxes; what changes something goes to the API, and the page is made anew.
import "../viewer.js";
import { prepare as explain } from "../explaining/panels.js";
import { apply, preferences } from "../judging/preferences.js";
import { link } from "./linking.js";
import { listen } from "./changes.js";
import { prepare } from "./statement.js";

const viewer = document.querySelector("main.case zoom-image");
if (viewer) apply(viewer, preferences());
link(document.querySelector("main.case"));
explain(document.querySelector("main.case"), viewer);
listen();
for (const form of document.querySelectorAll("form[data-statement]")) prepare(form);
