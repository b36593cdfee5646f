/** Asks before a page with unsaved edits is left. */

import { t } from "../page/texts";

let unsaved: () => boolean = () => false;

/** Ask from now on while `check` says that there are edits, until somebody leaves. */
export function guard(check: () => boolean, leave: AbortSignal): void {
  unsaved = check;
  const ask = (event: BeforeUnloadEvent) => {
    if (check()) event.preventDefault();
  };
  window.addEventListener("beforeunload", ask, { signal: leave });
  leave.addEventListener("abort", () => {
    if (unsaved === check) unsaved = () => false;
  });
}

/** Whether to go on to something else; asks where edits are not saved. */
export function mayLeave(): boolean {
  return !unsaved() || window.confirm(t("edit.leave"));
}
