"""The same as a graph of LangGraph: the step that matters is a node that asks people, and a denial is an edge.

Needs INTERLOCK_URL and INTERLOCK_KEY, and `pip install langgraph`.
"""

import sys
from typing import TypedDict

from langgraph.graph import END, START, StateGraph

from hub.client import Approval, Client


class State(TypedDict, total=False):
    name: str
    request: str
    outcome: str
    report: str


def build(client: Client):
    """The graph: plan, ask, wait, then `report` or `give_up`."""

    def plan(state: State) -> State:
        return {"name": state["name"].lower()}

    def ask(state: State) -> State:
        # A node may run again after a crash; under the same `once` it is the same request.
        asked = client.ask("touch", {"name": state["name"]}, reason="the graph needs it", once=f"graph-{state['name']}")
        return {"request": asked.id}

    def wait(state: State) -> State:
        ended: Approval = client.wait(state["request"], timeout=3600)
        return {"outcome": ended.state, "report": (ended.output or ended.why or "").strip()}

    def report(state: State) -> State:
        return {"report": f"{state['request']} done: {state['report']}"}

    def give_up(state: State) -> State:
        return {"report": f"{state['request']} not done ({state['outcome']}): {state['report']}"}

    graph = StateGraph(State)
    for node in (plan, ask, wait, report, give_up):
        graph.add_node(node.__name__, node)
    graph.add_edge(START, "plan")
    graph.add_edge("plan", "ask")
    graph.add_edge("ask", "wait")
    graph.add_conditional_edges("wait", lambda state: "report" if state["outcome"] == "COMPLETED" else "give_up")
    graph.add_edge("report", END)
    graph.add_edge("give_up", END)
    return graph.compile()


if __name__ == "__main__":
    with Client() as client:
        for name in sys.argv[1:]:
            print(build(client).invoke({"name": name})["report"])
