#!/usr/bin/env bash
# VS Code that a browser can show (code-server), from npm, without the downloads of its own installer.
# usage: install_code_server.sh FOLDER    A finished FOLDER is left alone.
set -euo pipefail

FOLDER=$1
VERSION=4.100.3 # VS Code 1.100.3: newer ones need a newer Node.
STAMP=$FOLDER/installed-$VERSION
export npm_config_fund=false npm_config_audit=false npm_config_update_notifier=false npm_config_loglevel=error

# $1: a package's folder. Not `npm rebuild`: node-pty's own script asks npx, which asks a person.
build() {
  local headers
  headers=$(dirname "$(dirname "$(readlink -f "$(command -v node)")")")
  [ -d "$headers/include/node" ] || headers=
  (cd "$1" && node "$(npm root -g)/npm/node_modules/node-gyp/bin/node-gyp.js" rebuild \
    ${headers:+--nodedir="$headers"} --loglevel=error)
}

[ ! -e "$STAMP" ] || exit 0
rm -rf "$FOLDER"
mkdir -p "$FOLDER"
cd "$FOLDER"
echo '{"private": true}' >package.json
npm install --ignore-scripts --no-save "code-server@$VERSION"
vscode=$PWD/node_modules/code-server/lib/vscode
(cd "$vscode" && npm install --ignore-scripts --omit=dev)
build "$vscode/node_modules/@vscode/spdlog" &
building=$!
build "$vscode/node_modules/native-watchdog"
npm rebuild --ignore-scripts=false --build-from-source argon2 # Its own script is a plain one.
wait "$building"
ln -sfn node_modules "$vscode/node_modules.asar"
# The extensions with code in them want packages of their own, and time at each start; colours stay.
for manifest in "$vscode"/extensions/*/package.json; do
  ! grep -q '"main"' "$manifest" || rm -r "$(dirname "$manifest")"
done
HOME=$PWD XDG_CONFIG_HOME=$PWD node node_modules/code-server/out/node/entry.js --version
touch "$STAMP"
