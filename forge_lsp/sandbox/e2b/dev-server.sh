#!/bin/sh
# Keeps the preview's dev server running, unless it dies again and again; beside one that runs
# already it ends at once. `following.py` reads in its log when it dies and is started again.
# A project that starts by a script of its own has left `run.sh` here.
cd "$(dirname "$0")" || exit 1
exec 9>lock
flock -n 9 || exit 0
export __VITE_ADDITIONAL_SERVER_ALLOWED_HOSTS="$(cat allowed-hosts)"
host=${FORGE_DEV_SERVER_HOST:-0.0.0.0}
port=${FORGE_DEV_SERVER_PORT:-5173}
log=$PWD/dev-server.log
run=$PWD/run.sh
: >"$log"
cd ../app || exit 1
deaths=0
while [ "$deaths" -lt 4 ]; do
  began=$(date +%s)
  [ "$(wc -c <"$log")" -lt 1000000 ] || : >"$log"
  if [ -f "$run" ]; then
    sh "$run" >>"$log" 2>&1 9>&-
  else
    node node_modules/vite/bin/vite.js --host "$host" --port "$port" --strictPort \
      >>"$log" 2>&1 9>&-
  fi
  echo "The dev server ended by itself with code $?." >>"$log"
  [ $(($(date +%s) - began)) -gt 60 ] && deaths=0
  deaths=$((deaths + 1))
done
echo "It died again and again, and is not started any more." >>"$log"
