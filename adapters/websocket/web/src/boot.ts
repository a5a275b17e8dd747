// What the hub wrote into the page before it was sent: who looks, and from where in the log.

export interface Me {
  readonly id: string;
  readonly name: string;
  readonly kind: string;
  readonly groups: readonly string[];
  readonly decides: boolean;
  readonly assurance: string;
}

interface Boot extends Me {
  readonly head: number;
  readonly halted: string | null;
  readonly url: string;
}

const NOBODY: Boot = {
  id: "",
  name: "",
  kind: "person",
  groups: [],
  decides: false,
  assurance: "",
  head: 0,
  halted: null,
  url: "",
};

const written = document.querySelector<HTMLMetaElement>("meta[name=interlock-boot]")?.content;

export const boot: Boot = written ? (JSON.parse(written) as Boot) : NOBODY;
export const me: Me = boot;
