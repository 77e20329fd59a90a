#!/bin/sh
# Makes sure that this machine has an adapter: asks `frostline doctor`, and where it finds none at all installs Mesa's
# software Vulkan driver. With an adapter, real or software, it does nothing.
#   usage: scripts/adapter.sh PATH/TO/frostline
set -eu

frostline=$1
install='apt-get update && apt-get install --yes --no-install-recommends mesa-vulkan-drivers'

# Says why, and fails.
give_up() {
    echo "$1" >&2
    exit 1
}

# What to type, for a person who is not root yet.
line_to_run() {
    if command -v sudo >/dev/null; then echo "  sudo sh -c '$install'"; else echo "  su - -c '$install'"; fi
}

said=$("$frostline" doctor 2>&1) && exit 0
case $said in
    *"no graphics adapter found"*) ;;
    # Anything else, such as a misspelt FROSTLINE_ADAPTER, is not cured by another driver.
    *) give_up "$said" ;;
esac
command -v apt-get >/dev/null || give_up "$said"

if [ "$(id -u)" -eq 0 ]; then
    as_root=
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
    as_root='sudo -n'
else
    give_up "no graphics adapter found, and only root can install one; run this line, then make again:
$(line_to_run)"
fi

echo "no graphics adapter found: installing Mesa's software Vulkan driver" >&2
$as_root env DEBIAN_FRONTEND=noninteractive sh -c "$install" >&2 || give_up "it could not be installed with:
$(line_to_run)"
said=$("$frostline" doctor 2>&1) || give_up "$said"
