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

# What to type, for a person who may not be root yet.
line_to_run() {
    if command -v sudo >/dev/null; then echo "  sudo sh -c '$install'"; else echo "  su - -c '$install'"; fi
}

# Runs the installation as root; fails where that needs a password.
install_driver() {
    if [ "$(id -u)" -eq 0 ]; then
        DEBIAN_FRONTEND=noninteractive sh -c "$install"
    elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
        sudo -n env DEBIAN_FRONTEND=noninteractive sh -c "$install"
    else
        return 1
    fi
}

said=$("$frostline" doctor 2>&1) && exit 0
case $said in
    # Anything else, such as a misspelt FROSTLINE_ADAPTER, is not cured by another driver.
    *"no graphics adapter found"*) ;;
    *) give_up "$said" ;;
esac
command -v apt-get >/dev/null || give_up "$said"

echo "no graphics adapter found: installing Mesa's software Vulkan driver" >&2
install_driver >&2 || give_up "the driver could not be installed; run this line, then make again:
$(line_to_run)"
said=$("$frostline" doctor 2>&1) || give_up "$said"
