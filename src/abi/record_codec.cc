#include "abi/record_codec.h"

#include "abi/binary.h"
#include "abi/capability.h"

namespace perdure {
namespace {

// Smallest encodings of list items: what a count is checked against before memory is taken.
constexpr std::size_t kAddressBytesMin = 4 * 4;
constexpr std::size_t kCapabilityBytesMin = kAddressBytesMin + 4;
constexpr std::size_t kRequestBytesMin = 1 + 1 + 4 + 1 + 4;
constexpr std::size_t kExitRequestBytesMin = kAddressBytesMin + kRequestBytesMin + 1;

void write(BinaryWriter& out, const ProcessId& id) {
    out.string(id.process);
    out.string(id.package);
    out.string(id.publisher);
}
ProcessId read_process_id(BinaryReader& in) {
    ProcessId id;
    id.process = in.string();
    id.package = in.string();
    id.publisher = in.string();
    return id;
}

void write(BinaryWriter& out, const Address& address) {
    out.string(address.node);
    write(out, address.process);
}
Address read_address(BinaryReader& in) {
    Address address;
    address.node = in.string();
    address.process = read_process_id(in);
    return address;
}

void write(BinaryWriter& out, const Capability& capability) {
    write(out, capability.issuer);
    out.string(capability.params);
}
Capability read_capability(BinaryReader& in) {
    Capability capability;
    capability.issuer = read_address(in);
    capability.params = in.string();
    return capability;
}

void write_text(BinaryWriter& out, const std::optional<std::string>& text) {
    out.flag(text.has_value());
    if (text) {
        out.string(*text);
    }
}
std::optional<std::string> read_text(BinaryReader& in) {
    return in.option([&in] { return in.string(); });
}

void write(BinaryWriter& out, const Request& request) {
    out.flag(request.inherit);
    out.flag(request.expects_response.has_value());
    if (request.expects_response) {
        out.u64(*request.expects_response);
    }
    out.string(request.body.view());
    write_text(out, request.metadata);
    out.count(request.capabilities.size());
    for (const Capability& capability : request.capabilities) {
        write(out, capability);
    }
}
Request read_request(BinaryReader& in) {
    Request request;
    request.inherit = in.flag();
    request.expects_response = in.option([&in] { return in.u64(); });
    request.body = SharedBytes(in.bytes());
    request.metadata = read_text(in);
    request.capabilities = in.list(kCapabilityBytesMin, [&in] { return read_capability(in); });
    return request;
}

void write(BinaryWriter& out, const ExitRequest& exit) {
    write(out, exit.target);
    write(out, exit.request);
    out.flag(exit.blob.has_value());
    if (exit.blob) {
        write_text(out, exit.blob->mime);
        out.string(exit.blob->bytes.view());
    }
}
ExitRequest read_exit_request(BinaryReader& in) {
    ExitRequest exit;
    exit.target = read_address(in);
    exit.request = read_request(in);
    exit.blob = in.option([&in] {
        Blob blob;
        blob.mime = read_text(in);
        blob.bytes = SharedBytes(in.bytes());
        return blob;
    });
    return exit;
}

void write(BinaryWriter& out, const OnExit& on_exit) {
    out.u8(static_cast<std::uint8_t>(on_exit.kind));
    if (on_exit.kind == OnExit::Kind::Requests) {
        out.count(on_exit.requests.size());
        for (const ExitRequest& exit : on_exit.requests) {
            write(out, exit);
        }
    }
}
OnExit read_on_exit(BinaryReader& in) {
    switch (in.u8()) {
        case 0: return OnExit::none();
        case 1: return OnExit::restart();
        case 2:
            return OnExit::fire(
                in.list(kExitRequestBytesMin, [&in] { return read_exit_request(in); }));
        default: in.fail("an exit behaviour that does not exist"); return {};
    }
}

GrantCause read_cause(BinaryReader& in) {
    const std::uint8_t cause = in.u8();
    if (cause >= kGrantCauseCount) {
        in.fail("a cause that does not exist");
        return {};
    }
    return static_cast<GrantCause>(cause);
}

}  // namespace

std::string_view to_string(GrantCause cause) {
    switch (cause) {
        case GrantCause::Birth: return "birth";
        case GrantCause::Manifest: return "manifest";
        case GrantCause::Spawn: return "spawn";
        case GrantCause::Initialiser: return "initialiser";
        case GrantCause::Saved: return "saved";
        case GrantCause::Command: return "command";
        case GrantCause::Module: return "module";
    }
    return "unknown";
}

SharedBytes encode_process_record(const ProcessRecord& record) {
    BinaryWriter out;
    out.u8(kProcessRecordFormat);
    out.string(record.code_handle);
    out.flag(record.wit_version.has_value());
    if (record.wit_version) {
        out.u32(*record.wit_version);
    }
    write(out, record.on_exit);
    out.flag(record.is_public);
    out.flag(record.package.has_value());
    if (record.package) {
        out.string(record.package->package);
        out.string(record.package->publisher);
    }
    return out.take();
}

Result<ProcessRecord> decode_process_record(ByteView bytes) {
    BinaryReader in(bytes);
    in.format(kProcessRecordFormat);
    ProcessRecord record;
    record.code_handle = in.string();
    record.wit_version = in.option([&in] { return in.u32(); });
    record.on_exit = read_on_exit(in);
    record.is_public = in.flag();
    record.package = in.option([&in] {
        PackageId id;
        id.package = in.string();
        id.publisher = in.string();
        return id;
    });
    return in.finish(std::move(record)).with_context("process record");
}

SharedBytes encode_capability_record(const CapabilityRecord& record) {
    BinaryWriter out;
    out.u8(kCapabilityRecordFormat);
    write(out, record.capability);
    out.u8(static_cast<std::uint8_t>(record.cause));
    out.u64(record.number.value);
    out.flag(record.parent.has_value());
    if (record.parent) {
        write(out, record.parent->holder);
        out.u64(record.parent->number.value);
    }
    out.flag(record.signature.has_value());
    if (record.signature) {
        out.raw(*record.signature);
    }
    return out.take();
}

Result<CapabilityRecord> decode_capability_record(ByteView bytes) {
    BinaryReader in(bytes);
    in.format(kCapabilityRecordFormat);
    CapabilityRecord record;
    record.capability = read_capability(in);
    record.cause = read_cause(in);
    record.number = SequenceNumber{in.u64()};
    record.parent = in.option([&in] {
        GrantParent parent;
        parent.holder = read_process_id(in);
        parent.number = SequenceNumber{in.u64()};
        return parent;
    });
    record.signature = in.option([&in] {
        CapabilitySignature signature{};
        in.raw(signature);
        return signature;
    });
    return in.finish(std::move(record)).with_context("capability record");
}

SharedBytes process_key(const ProcessId& id) {
    DCHECK(is_safe(id), id);
    return SharedBytes(to_string(id));
}

std::string capability_key_prefix(const ProcessId& holder) {
    DCHECK(is_safe(holder), holder);
    return to_string(holder) + '\0';
}

SharedBytes capability_key(const ProcessId& holder, const Capability& capability) {
    return SharedBytes(capability_key_prefix(holder) + CapabilityKey(capability).text());
}

Result<ProcessId> decode_process_key(ByteView key) {
    auto id = parse_process_id(text_of(key));
    if (!id) {
        return Error(ErrorCode::Corrupt, "process key: " + id.error().message());
    }
    return id;
}

Result<ProcessId> decode_capability_key_holder(ByteView key) {
    const std::string_view text = text_of(key);
    auto id = parse_process_id(text.substr(0, text.find('\0')));
    if (!id || text.find('\0') == std::string_view::npos) {
        return Error(ErrorCode::Corrupt, "capability key: no holder before a zero byte");
    }
    return id;
}

}  // namespace perdure
