// While a launch is watched, one of its threads that runs for seconds without a turn of another ends the program.
#pragma once

namespace xpemu {

extern volatile unsigned long turns;  // counted by the scheduler: a thread began, or went on

struct Watched {
    Watched();
    ~Watched();
};

}  // namespace xpemu
