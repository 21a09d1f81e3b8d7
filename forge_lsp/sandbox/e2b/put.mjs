// Unpacks the archive "$1.tar" and puts its files in place, each at once: those below `put` over
// those of the app, but for those that are there already, which are left alone: a file that is put
// again is news to the dev server. Those that `gone` names, with a NUL after each, are taken away.
// Prints each that can't be, as its name, a NUL, the error's code and a NUL.
import { spawnSync } from "node:child_process";
import { lstatSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";

const draft = process.argv[2];
const failures = [];

function attempt(path, act) {
  try {
    act();
  } catch (error) {
    failures.push(`${path}\0${error.code}\0`);
  }
}

function take(path) {
  const place = join("app", path);
  let found;
  try {
    found = lstatSync(place);
  } catch {
    return;
  }
  if (found.isDirectory()) throw Object.assign(new Error(), { code: "EISDIR" });
  rmSync(place);
}

function isSame(given, place) {
  try {
    const found = lstatSync(place);
    if (!found.isFile() || found.size !== lstatSync(given).size) return false;
    return readFileSync(given).equals(readFileSync(place));
  } catch {
    return false;
  }
}

function put(folder) {
  for (const entry of readdirSync(join(draft, "put", folder), { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      put(path);
    } else {
      attempt(path, () => {
        const [given, place] = [join(draft, "put", path), join("app", path)];
        if (isSame(given, place)) return;
        mkdirSync(dirname(place), { recursive: true });
        renameSync(given, place);
      });
    }
  }
}

try {
  mkdirSync(join(draft, "put"), { recursive: true });
  // Each gets the time of now: to Vite's watcher, a file that is as old as before hasn't changed.
  const unpacking = ["-xmf", `${draft}.tar`, "-C", draft];
  const unpacked = spawnSync("tar", unpacking, { encoding: "utf8" });
  if (unpacked.status !== 0) {
    console.error(unpacked.stderr || String(unpacked.error));
    process.exitCode = 2;
  } else {
    const gone = readFileSync(join(draft, "gone"), "utf8").split("\0");
    for (const path of gone.filter(Boolean)) attempt(path, () => take(path));
    put("");
    process.stdout.write(failures.join(""));
  }
} finally {
  rmSync(draft, { recursive: true, force: true });
  rmSync(`${draft}.tar`, { force: true });
}
