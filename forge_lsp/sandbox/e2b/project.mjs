// `empty` ends all that runs in the app's folder and takes its files away; `ports` prints the ports
// on which what runs there listens, as JSON, or null where nothing runs. Run beside that folder.
import { readdirSync, readFileSync, readlinkSync, realpathSync, rmSync } from "node:fs";
import { join, sep } from "node:path";

const LISTENING = "0A"; // TCP_LISTEN of the kernel's include/net/tcp_states.h.
// 0.0.0.0, 127.0.0.1, :: and ::1, as /proc/net/tcp writes them.
const REACHED = ["00000000", "0100007F", "0".repeat(32), `${"0".repeat(24)}01000000`];
const TURNS = 200;
const TURN_MS = 20;

const app = realpathSync("app");

function processes() {
  const found = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return found.filter((pid) => Number(pid) !== process.pid && runsInside(pid));
}

function runsInside(pid) {
  try {
    const folder = readlinkSync(`/proc/${pid}/cwd`);
    return folder === app || folder.startsWith(app + sep);
  } catch {
    return false;
  }
}

function end() {
  const clock = new Int32Array(new SharedArrayBuffer(4));
  for (let turn = 0; turn < TURNS; turn += 1) {
    const found = processes();
    if (found.length === 0) return;
    for (const pid of found) {
      try {
        process.kill(Number(pid), "SIGKILL");
      } catch {}
    }
    Atomics.wait(clock, 0, 0, TURN_MS);
  }
  throw new Error("something in it goes on running");
}

function sockets(pid) {
  try {
    const folder = `/proc/${pid}/fd`;
    return readdirSync(folder).flatMap((name) => {
      try {
        return [readlinkSync(join(folder, name))];
      } catch {
        return [];
      }
    });
  } catch {
    return [];
  }
}

// See proc_pid_net(5): `sl local_address rem_address st …`, the tenth being the socket's inode.
function listening(table) {
  const lines = readFileSync(`/proc/net/${table}`, "ascii").trim().split("\n").slice(1);
  return lines.flatMap((line) => {
    const words = line.trim().split(/\s+/);
    const [address, port] = words[1].split(":");
    if (words[3] !== LISTENING || !REACHED.includes(address)) return [];
    return [[`socket:[${words[9]}]`, Number.parseInt(port, 16)]];
  });
}

if (process.argv[2] === "empty") {
  end();
  for (const name of readdirSync(app)) rmSync(join(app, name), { recursive: true, force: true });
} else {
  const running = processes();
  const mine = new Set(running.flatMap(sockets));
  const tables = readdirSync("/proc/net").filter((name) => name === "tcp" || name === "tcp6");
  const found = tables.flatMap(listening).filter(([socket]) => mine.has(socket));
  const ports = [...new Set(found.map(([, port]) => port))].sort((one, other) => one - other);
  process.stdout.write(JSON.stringify(running.length ? ports : null));
}
