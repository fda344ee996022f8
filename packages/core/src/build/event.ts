import type { Descriptor, Diagnostic } from "@undocked/registry";

/** What a build tells while it runs; secrets are never in it. */
export type BuildEvent =
  /** A base image was found. */
  | { readonly kind: "base"; readonly reference: string; readonly digest: string }
  /** The headers of a base's layer are read, as its index was not in the cache. */
  | { readonly kind: "index"; readonly layer: Descriptor }
  /** An instruction is carried out; `text` is its history entry's. */
  | {
      readonly kind: "step";
      readonly text: string;
      readonly line: number;
      /** The stage's, where an image is built for several. */
      readonly platform?: string;
    }
  /** A layer of the build's own is done. */
  | { readonly kind: "layer"; readonly layer: Descriptor }
  | { readonly kind: "warning"; readonly warning: Diagnostic }
  /** Content is sent; `bytes` of `content.size` so far. */
  | { readonly kind: "progress"; readonly to: string; readonly content: Descriptor; readonly bytes: number }
  /** A layer is sent while it is made, of which nobody knows the size yet; `bytes` so far. */
  | { readonly kind: "stream"; readonly to: string; readonly bytes: number }
  /** Content is at its target, and how it got there. */
  | {
      readonly kind: "content";
      readonly to: string;
      readonly content: Descriptor;
      readonly how: "exists" | "mounted" | "copied";
    }
  /** An image is at its target as a whole. */
  | { readonly kind: "output"; readonly to: string; readonly root: Descriptor };
