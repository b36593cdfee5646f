import "./style.css";
import { App } from "./page/app";

new App(document.getElementById("app")!);
