//! How to get an adapter on a machine that has none: what to install, told by the system's own name.

use std::path::Path;

/// Variables that narrow the Vulkan loader to certain drivers.
const NARROWING: [&str; 3] = ["VK_DRIVER_FILES", "VK_ICD_FILENAMES", "VK_LOADER_DRIVERS_DISABLE"];

/// Names that /etc/os-release gives to a family of systems, and how its people install Mesa's software Vulkan driver.
const INSTALL: [(&[&str], &str); 5] = [
    (&["debian", "ubuntu"], "sudo apt-get install mesa-vulkan-drivers"),
    (&["fedora", "rhel", "centos"], "sudo dnf install mesa-vulkan-drivers vulkan-loader"),
    (&["arch"], "sudo pacman -S vulkan-swrast vulkan-icd-loader"),
    (&["alpine"], "sudo apk add mesa-vulkan-swrast vulkan-loader"),
    (&["suse", "opensuse"], "sudo zypper install libvulkan_lvp libvulkan1"),
];

/// One or two sentences that end with what to type next.
pub(super) fn for_this_system() -> String {
    if cfg!(target_os = "linux") {
        let os_release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
        let narrowed = NARROWING.into_iter().find(|name| std::env::var_os(name).is_some());
        for_linux(&os_release, narrowed, Path::new("/dev/nvidiactl").exists())
    } else if cfg!(target_os = "macos") {
        "Metal is missing: run on macOS 11 or later, outside a virtual machine without a GPU".to_owned()
    } else {
        "install the vendor's graphics driver with Vulkan or DirectX 12 support, then run 'frostline doctor'"
            .to_owned()
    }
}

fn for_linux(os_release: &str, narrowed: Option<&str>, nvidia: bool) -> String {
    let mut advice = String::new();
    if let Some(variable) = narrowed {
        advice.push_str(&format!("{variable} hides drivers: unset it; or "));
    }
    if nvidia {
        advice.push_str(
            "an NVIDIA GPU is here without the Vulkan part of its driver: in a container set \
             NVIDIA_DRIVER_CAPABILITIES=all; or ",
        );
    }
    let system = names(os_release);
    let known = INSTALL.iter().find(|(family, _)| family.iter().any(|name| system.contains(name)));
    match known {
        Some((_, line)) => advice.push_str(&format!("install a software Vulkan driver with '{line}'")),
        None => advice.push_str("install Mesa's software Vulkan driver (lavapipe)"),
    }
    advice + " (or the driver of your GPU), then run 'frostline doctor'"
}

/// The words of ID and ID_LIKE.
fn names(os_release: &str) -> Vec<&str> {
    let values = os_release.lines().filter_map(|line| {
        let (key, value) = line.split_once('=')?;
        (key == "ID" || key == "ID_LIKE").then_some(value.trim_matches('"'))
    });
    values.flat_map(|value| value.split([' ', '-'])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_to_type_suits_the_system() {
        let on = |os_release| for_linux(os_release, None, false);
        assert!(on("NAME=\"Debian GNU/Linux\"\nID=debian\n").contains("apt-get install mesa-vulkan-drivers"));
        assert!(on("ID=linuxmint\nID_LIKE=\"ubuntu debian\"").contains("apt-get"));
        assert!(on("ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"").contains("dnf install"));
        assert!(on("ID=\"opensuse-tumbleweed\"").contains("zypper"));
        let unknown = on("VERSION_ID=1\nID=plan9");
        assert!(unknown.contains("lavapipe") && unknown.contains("frostline doctor"), "{unknown}");
    }

    #[test]
    fn what_hides_a_driver_is_named_first() {
        let advice = for_linux("ID=debian", Some("VK_DRIVER_FILES"), true);
        assert!(advice.starts_with("VK_DRIVER_FILES hides drivers: unset it"), "{advice}");
        assert!(advice.contains("NVIDIA_DRIVER_CAPABILITIES=all"), "{advice}");
    }
}
