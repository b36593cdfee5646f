import "./style.css";
import { App } from "./page/app";
import { applyPreferences } from "./page/preferences";

applyPreferences();
new App(document.getElementById("app")!);
