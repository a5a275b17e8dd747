"""An agent of the OpenAI Agents SDK whose tools are the hub's, over the Model Context Protocol.

Needs INTERLOCK_URL and INTERLOCK_KEY, `pip install openai-agents`, and a model: by default the SDK's own, with its key.
"""

import asyncio
import os
import sys

from agents import Agent, Runner
from agents.mcp import MCPServerStreamableHttp
from agents.models.interface import Model

INSTRUCTIONS = """
You change things only through Interlock. Look at `actions`, then `request` the one that is needed with an honest reason,
then call `wait` until the request has ended. Say that something was done only if its state is COMPLETED.
"""


async def main(task: str, model: Model | str | None = None) -> str:
    """What the agent says in the end."""
    hub = MCPServerStreamableHttp(
        {
            "url": f"{os.environ['INTERLOCK_URL']}/mcp",
            "headers": {"authorization": f"Bearer {os.environ['INTERLOCK_KEY']}"},
        },
        client_session_timeout_seconds=70,  # `wait` answers within 50
        use_structured_content=True,
    )
    async with hub:
        agent = Agent(name="operator", instructions=INSTRUCTIONS, mcp_servers=[hub], model=model)
        result = await Runner.run(agent, task, max_turns=100)
        return str(result.final_output)


if __name__ == "__main__":
    print(asyncio.run(main(" ".join(sys.argv[1:]))))
