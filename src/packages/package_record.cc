#include "packages/package_record.h"

#include "abi/binary.h"

namespace perdure::packages {
namespace {

constexpr std::size_t kFileBytesMin = 4 + 32;
constexpr std::size_t kGrantBytesMin = 3 * 4;

PackageFile read_file_line(BinaryReader& in) {
    PackageFile file;
    file.path = in.string();
    in.raw(file.hash);
    return file;
}

PendingGrant read_grant(BinaryReader& in) {
    PendingGrant grant;
    auto holder = parse_process_id(in.string());
    if (holder) {
        grant.holder = std::move(holder).value();
    } else {
        in.fail("a holder that is no process id");
    }
    grant.process_name = in.string();
    grant.params = in.string();
    return grant;
}

}  // namespace

SharedBytes encode_package_record(const PackageRecord& record) {
    BinaryWriter out;
    out.u8(kPackageRecordFormat);
    out.string(record.id.package);
    out.string(record.id.publisher);
    out.string(record.version);
    out.flag(record.wit_version.has_value());
    if (record.wit_version) {
        out.u32(*record.wit_version);
    }
    out.count(record.process_names.size());
    for (const std::string& name : record.process_names) {
        out.string(name);
    }
    out.count(record.files.size());
    for (const PackageFile& file : record.files) {
        out.string(file.path);
        out.raw(file.hash);
    }
    out.count(record.pending_grants.size());
    for (const PendingGrant& grant : record.pending_grants) {
        out.string(to_string(grant.holder));
        out.string(grant.process_name);
        out.string(grant.params);
    }
    out.string(record.metadata);
    out.string(record.manifest);
    return out.take();
}

Result<PackageRecord> decode_package_record(ByteView bytes) {
    BinaryReader in(bytes);
    in.format(kPackageRecordFormat);
    PackageRecord record;
    record.id.package = in.string();
    record.id.publisher = in.string();
    if (!is_safe(record.id)) {
        in.fail("a package id that is none");
    }
    record.version = in.string();
    record.wit_version = in.option([&in] { return in.u32(); });
    record.process_names = in.list(4, [&in] { return in.string(); });
    record.files = in.list(kFileBytesMin, [&in] { return read_file_line(in); });
    record.pending_grants = in.list(kGrantBytesMin, [&in] { return read_grant(in); });
    record.metadata = in.string();
    record.manifest = in.string();
    return in.finish(std::move(record)).with_context("package record");
}

SharedBytes package_key(const PackageId& id) {
    DCHECK(is_safe(id), id);
    return SharedBytes(to_string(id));
}

Result<PackageId> decode_package_key(ByteView key) {
    auto id = parse_package_id(text_of(key));
    if (!id) {
        return Error(ErrorCode::Corrupt, "package key: " + id.error().message());
    }
    return id;
}

}  // namespace perdure::packages
