// Names by addresses, out of the program's own symbol table: a launch by a pointer does not say which kernel it
// starts, and a copy to a variable not which one that is.
#include <cxxabi.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <map>
#include <string>

#include "internal.hpp"

namespace xpemu {

namespace {

using Header = ElfW(Ehdr);
using Section = ElfW(Shdr);
using Symbol = ElfW(Sym);

std::uintptr_t load_address() {
    std::uintptr_t base = 0;
    dl_iterate_phdr([](dl_phdr_info* info, std::size_t, void* at) { *static_cast<std::uintptr_t*>(at) = info->dlpi_addr; return 1; }, &base);
    return base;
}

// The mangled name of the function (STT_FUNC) or variable (STT_OBJECT) at `address`; empty if the program has no
// symbols.
std::string symbol_at(std::uintptr_t address, int type) {
    const int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    struct stat about {};
    if (file < 0 || fstat(file, &about) || about.st_size < static_cast<off_t>(sizeof(Header))) return "";
    const auto size = static_cast<std::size_t>(about.st_size);
    void* map = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file, 0);
    close(file);
    if (map == MAP_FAILED) return "";
    const auto* image = static_cast<const unsigned char*>(map);
    const auto* header = reinterpret_cast<const Header*>(image);
    const auto* sections = reinterpret_cast<const Section*>(image + header->e_shoff);
    std::string found;
    if (!std::memcmp(header->e_ident, ELFMAG, SELFMAG) && header->e_shoff)
        for (unsigned i = 0; i < header->e_shnum && found.empty(); ++i) {
            if (sections[i].sh_type != SHT_SYMTAB) continue;
            const auto* symbols = reinterpret_cast<const Symbol*>(image + sections[i].sh_offset);
            const char* names = reinterpret_cast<const char*>(image + sections[sections[i].sh_link].sh_offset);
            for (std::size_t n = 0; n < sections[i].sh_size / sizeof(Symbol); ++n)
                if ((symbols[n].st_info & 0xf) == type && symbols[n].st_value == address) found = names + symbols[n].st_name;
        }
    munmap(map, size);
    return found;
}

// `void ns::k<4>(float*, int)` as a launch would name it: `ns::k<4>`.
std::string called(std::string name) {
    int depth = 0;
    for (std::size_t i = 0; i < name.size(); ++i) {
        depth += (name[i] == '<') - (name[i] == '>');
        const bool anonymous = !name.compare(i, 11, "(anonymous ");
        if (depth == 0 && name[i] == '(' && !anonymous) {
            name.resize(i);
            break;
        }
    }
    depth = 0;
    for (std::size_t i = name.size(); i--;) {  // the type of the result stands before templates only
        depth += (name[i] == '>') - (name[i] == '<');
        if (depth == 0 && name[i] == ' ' && name.compare(i + 1, 9, "namespace")) return name.substr(i + 1);
    }
    return name;
}

}  // namespace

namespace {

const std::string& name_at(const void* address, int type) {
    static auto* known = new std::map<const void*, std::string>;
    auto [at, is_new] = known->try_emplace(address);
    if (is_new) {
        const std::string mangled = symbol_at(reinterpret_cast<std::uintptr_t>(address) - load_address(), type);
        int status = 0;
        char* plain = abi::__cxa_demangle(mangled.c_str(), nullptr, nullptr, &status);
        at->second = status == 0 && plain ? called(plain) : mangled;
        std::free(plain);
    }
    return at->second;
}

}  // namespace

const char* function_name(const void* function, const char* otherwise) {
    const std::string& name = name_at(function, STT_FUNC);
    return name.empty() ? otherwise : name.c_str();
}

void trace_variable(const void* variable, std::size_t size, std::size_t offset, const void* from, std::size_t bytes) {
    if (tracing()) trace_copy_to_variable(name_at(variable, STT_OBJECT).c_str(), size, offset, from, bytes);
}

}  // namespace xpemu
