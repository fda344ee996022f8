/** Where a registry keeps its files. Keys are paths of safe segments; what is written appears whole or not at all. */
export interface Storage {
  /** `undefined`: there is none. */
  open(key: string): Promise<StoredFile | undefined>;
  put(key: string, bytes: Uint8Array): Promise<void>;
  /** The same file under a second key; `false` if there is none under the first. */
  link(from: string, to: string): Promise<boolean>;
  /** `false` if there is none. */
  remove(key: string): Promise<boolean>;
  /** The names directly below a key, in byte order. */
  list(key: string): Promise<readonly string[]>;
  draft(): Promise<Draft>;
}

/** A file of the storage, of which any part can be read. */
export interface StoredFile {
  /** Bytes. */
  readonly size: number;
  /** From `start` to before `end`. */
  read(start?: number, end?: number): AsyncIterable<Uint8Array>;
}

/** A file that is being received. */
export interface Draft {
  append(chunk: Uint8Array): Promise<void>;
  /** What has been appended, from the start. */
  read(): AsyncIterable<Uint8Array>;
  /** Gives it its key and ends the draft. */
  commit(key: string): Promise<void>;
  discard(): Promise<void>;
}
