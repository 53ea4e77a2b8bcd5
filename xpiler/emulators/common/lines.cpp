// The line of the program's text that an instruction was compiled from, read from the program's own line table
// (DWARF 4, `-g1 -gdwarf-4`). It is asked for once, for a report: nothing here is fast, and nothing allocates.
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>

#include "internal.hpp"

namespace xpemu {

namespace {

struct Reader {
    const unsigned char *at, *end;
    template <class T>
    T take() {
        T value{};
        if (at + sizeof(T) <= end) std::memcpy(&value, at, sizeof(T));
        at += sizeof(T);
        return value;
    }
    std::uint64_t uleb() {
        std::uint64_t value = 0;
        for (unsigned shift = 0; at < end; shift += 7) {
            const unsigned char byte = *at++;
            value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
            if (!(byte & 0x80)) break;
        }
        return value;
    }
    std::int64_t sleb() {
        std::int64_t value = 0;
        unsigned shift = 0;
        while (at < end) {
            const unsigned char byte = *at++;
            value |= static_cast<std::int64_t>(byte & 0x7f) << shift;
            shift += 7;
            if (byte & 0x80) continue;
            if ((byte & 0x40) && shift < 64) value |= -(std::int64_t{1} << shift);
            break;
        }
        return value;
    }
    const char* text() {
        auto* start = reinterpret_cast<const char*>(at);
        at += strnlen(start, static_cast<std::size_t>(end - at)) + 1;
        return start;
    }
};

// Headers are the emulator's or the compiler's: what is inlined from them belongs to the line that calls it.
bool is_header(const char* file) {
    const char* dot = std::strrchr(file, '.');
    const char* slash = std::strrchr(file, '/');
    if (!dot || (slash && dot < slash)) return true;
    return !std::strcmp(dot, ".h") || !std::strcmp(dot, ".hpp") || !std::strcmp(dot, ".tcc");
}

// The line of `address` in one unit; 0 if it is not there. Rows are in the order of their addresses.
int line_in_unit(Reader r, std::uint64_t address) {
    if (r.take<std::uint16_t>() > 4) return 0;
    const auto header = r.take<std::uint32_t>();
    const unsigned char* program = r.at + header;
    const auto unit = r.take<std::uint8_t>();
    r.take<std::uint16_t>();  // operations of an instruction, and whether a row is a statement at first
    const auto base = r.take<std::int8_t>();
    const auto range = r.take<std::uint8_t>();
    const auto first_special = r.take<std::uint8_t>();
    const unsigned char* operands = r.at;
    r.at += first_special - 1;
    while (r.at < r.end && *r.at) r.text();  // folders
    ++r.at;
    constexpr unsigned known = 1024;
    bool header_file[known] = {};
    for (unsigned file = 1; r.at < r.end && *r.at; ++file) {
        const bool is = is_header(r.text());
        if (file < known) header_file[file] = is;
        r.uleb(), r.uleb(), r.uleb();
    }
    r.at = program;
    std::uint64_t here = 0, file = 1;
    std::int64_t line = 1;
    int found = 0;  // of the last row before here
    bool open = false;
    const auto row = [&](bool ends) {
        if (open && here > address && found) return true;
        open = !ends;
        if (here <= address && file < known && !header_file[file]) found = static_cast<int>(line);
        if (ends) found = 0;
        return false;
    };
    if (!range || !unit) return 0;
    while (r.at < r.end) {
        const auto code = r.take<std::uint8_t>();
        if (code >= first_special) {
            const unsigned step = code - first_special;
            here += step / range * unit;
            line += base + static_cast<int>(step % range);
            if (row(false)) return found;
            continue;
        }
        switch (code) {
            case 0: {
                const std::uint64_t size = r.uleb();
                const unsigned char* next = r.at + size;
                switch (r.take<std::uint8_t>()) {
                    case 1:  // the end of a sequence
                        if (row(true)) return found;
                        here = 0, file = 1, line = 1;
                        break;
                    case 2: here = r.take<std::uint64_t>(); break;
                    default: break;
                }
                r.at = next;
                break;
            }
            case 1:
                if (row(false)) return found;
                break;
            case 2: here += r.uleb() * unit; break;
            case 3: line += r.sleb(); break;
            case 4: file = r.uleb(); break;
            case 8: here += (255u - first_special) / range * unit; break;
            case 9: here += r.take<std::uint16_t>(); break;
            default:
                for (unsigned i = 0; i < operands[code - 1]; ++i) r.uleb();
        }
    }
    return 0;
}

int line_in_table(Reader table, std::uint64_t address) {
    while (table.at < table.end) {
        const auto length = table.take<std::uint32_t>();
        if (length == 0xffffffffu || table.at + length > table.end) return 0;
        if (const int line = line_in_unit({table.at, table.at + length}, address)) return line;
        table.at += length;
    }
    return 0;
}

}  // namespace

int line_of_code(const void* instruction) {
    std::uint64_t base = 0;  // where the program itself was loaded: the first object
    dl_iterate_phdr(
        [](dl_phdr_info* info, std::size_t, void* data) {
            *static_cast<std::uint64_t*>(data) = info->dlpi_addr;
            return 1;
        },
        &base);
    const int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    if (file < 0) return 0;
    struct stat status {};
    void* map = fstat(file, &status) ? MAP_FAILED : mmap(nullptr, static_cast<std::size_t>(status.st_size), PROT_READ, MAP_PRIVATE, file, 0);
    close(file);
    if (map == MAP_FAILED) return 0;
    auto* image = static_cast<const unsigned char*>(map);
    const auto size = static_cast<std::size_t>(status.st_size);
    int line = 0;
    ElfW(Ehdr) elf;
    std::memcpy(&elf, image, sizeof elf);
    const std::size_t sections = elf.e_shoff, count = elf.e_shnum;
    if (size > sizeof elf && sections + count * sizeof(ElfW(Shdr)) <= size && elf.e_shstrndx < count) {
        const auto* all = reinterpret_cast<const ElfW(Shdr)*>(image + sections);
        const char* names = reinterpret_cast<const char*>(image + all[elf.e_shstrndx].sh_offset);
        for (std::size_t i = 0; i < count && !line; ++i)
            if (!std::strcmp(names + all[i].sh_name, ".debug_line") && !(all[i].sh_flags & SHF_COMPRESSED))
                line = line_in_table({image + all[i].sh_offset, image + all[i].sh_offset + all[i].sh_size},
                                     reinterpret_cast<std::uint64_t>(instruction) - base);
    }
    munmap(map, size);
    return line;
}

}  // namespace xpemu
