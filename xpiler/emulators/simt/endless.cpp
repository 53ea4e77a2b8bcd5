// A thread that never comes to its end: the launch is stopped long before the time of the whole program is up.
#include <signal.h>
#include <sys/time.h>

#include "endless.hpp"
#include "internal.hpp"

namespace xpemu {

volatile unsigned long turns = 0;

namespace {

constexpr int ticks_a_second = 4;
constexpr int most_seconds = 2;  // of processor time: a thread of a GPU would take many times that
volatile bool watched = false;

void on_tick(int) {
    static unsigned long seen = 0;
    static int same = 0;
    if (!watched || turns != seen) {
        seen = turns;
        same = 0;
        return;
    }
    if (++same < most_seconds * ticks_a_second) return;
    Event("endless").text("message", "one thread ran for 2 s of processor time and came neither to its end nor to a barrier").die();
}

}  // namespace

Watched::Watched() {
    static const bool started = [] {
        struct sigaction action {};
        action.sa_handler = on_tick;
        action.sa_flags = SA_RESTART | SA_ONSTACK;
        sigaction(SIGVTALRM, &action, nullptr);
        const timeval tick{0, 1000000 / ticks_a_second};
        const itimerval every{tick, tick};
        setitimer(ITIMER_VIRTUAL, &every, nullptr);
        return true;
    }();
    static_cast<void>(started);
    ++turns;
    watched = true;
}

Watched::~Watched() { watched = false; }

}  // namespace xpemu
