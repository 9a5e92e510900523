"""``twocet serve``."""

from __future__ import annotations

import importlib.util

from twocet.errors import UserError


def serve(
    host: str = "127.0.0.1",
    port: int = 8420,
    allow_host: tuple[str, ...] = (),
    model: str = "default",
    device: str = "cpu",
) -> None:
    """Open the web page: drop two photos, drag a slider, download the result.

    Only this computer can reach the page, unless --host says otherwise. Photos stay in memory while they are edited;
    nothing stays on the disk, and nothing is sent elsewhere. Needs: pip install 'twocet[web]'

    examples:
      twocet serve
      twocet serve --port 9000
      twocet serve --host 0.0.0.0 --allow-host faces.example.org

    Args:
        host: Address to listen on; 0.0.0.0 lets in everybody who can reach this computer.
        port: Port to listen on; 0 takes a free one.
        allow_host: Further names of the page, beside addresses and this computer's name.
        model: Packaged model, model file, run folder, exported folder, or hf:OWNER/NAME.
        device: Where the model runs: cpu, cuda or mps.
    """
    if any(importlib.util.find_spec(package) is None for package in ("starlette", "uvicorn")):
        raise UserError("The web page needs two more packages: pip install 'twocet[web]'")
    from twocet.edit import editor as editors
    from twocet.web.server import serve as serve_page

    editor = editors.load(model, device=device)
    presets = {name: editor.preset(name) for name in editor.presets}
    serve_page(editor, host, port, presets, allow_host)
