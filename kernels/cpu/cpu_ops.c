#include "cpu.h"
#include "ref/ref.h"

void cpu_ops(struct ops *o)
{
    ref_ops(o);
    o->name = "cpu";
}
