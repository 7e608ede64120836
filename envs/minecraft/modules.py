"""Options of the Warp modules of the voxel world."""

from typing import Any


def inline_all(name: str) -> None:
    """Have all functions of a module inlined on a CPU; for modules whose kernels take `Game` and call many functions.

    Warp passes structs by value: a call that is not inlined copies the 6 kB of `Game` and `Rules`, which costs more
    than most functions do. Without it a tick of the entities takes three times as long.
    Loops are unrolled by the compiler rather than by Warp, which keeps what it has to read short.

    Args:
        name: of the module, `__name__`.
    """
    import warp

    flags = f"{warp.config.cpu_compiler_flags or ''} -mllvm=-inline-threshold=1000000".strip()
    module: Any = warp.get_module(name)
    warp.set_module_options({"enable_backward": False, "max_unroll": 0, "cpu_compiler_flags": flags}, module=module)
