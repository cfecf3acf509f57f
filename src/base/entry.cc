#include "base/entry.h"

#include "base/check.h"

namespace perdure {

std::string_view to_string(Family family) {
    switch (family) {
        case Family::Meta: return "meta";
        case Family::Processes: return "processes";
        case Family::ProcessState: return "process_state";
        case Family::Capabilities: return "capabilities";
        case Family::Packages: return "packages";
    }
    CHECK(false, "unknown family", static_cast<int>(family));
    return "";
}

std::string_view to_string(EntryKind kind) {
    switch (kind) {
        case EntryKind::SetState: return "set_state";
        case EntryKind::ClearState: return "clear_state";
        case EntryKind::SaveCapabilities: return "save_capabilities";
        case EntryKind::DropCapabilities: return "drop_capabilities";
        case EntryKind::SetOnExit: return "set_on_exit";
        case EntryKind::Initialise: return "initialise";
        case EntryKind::Exit: return "exit";
        case EntryKind::Grant: return "grant";
        case EntryKind::Install: return "install";
        case EntryKind::Remove: return "remove";
        case EntryKind::Module: return "module";
        case EntryKind::Boot: return "boot";
    }
    CHECK(false, "unknown entry kind", static_cast<int>(kind));
    return "";
}

std::size_t Entry::size() const {
    std::size_t total = 0;
    for (const Change& change : changes) {
        total += change.key.size() + (change.value ? change.value->size() : 0);
    }
    return total;
}

}  // namespace perdure
