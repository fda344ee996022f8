import { lookup as systemLookup } from "node:dns";
import type { LookupFunction } from "node:net";
import { isPrivateAddress } from "./address.ts";

/** The code of the error that {@link publicLookup} gives. */
export const privateAddressCode = "EPRIVATEADDRESS";

/**
 * Resolves a name for a connection and gives no private address: the connection goes to what was judged, so that a name
 * that changes its meaning in between (DNS rebinding) gains nothing.
 */
export const publicLookup: LookupFunction = (hostname, options, callback) => {
  systemLookup(hostname, options, (error, address, family) => {
    // With an error there is no address, whatever the type says.
    const found =
      error === null ? [address].flat().map((it) => (typeof it === "string" ? it : it.address)) : [];
    if (!found.some(isPrivateAddress)) {
      callback(error, address, family);
      return;
    }
    const refused: NodeJS.ErrnoException = new Error(`${hostname} is a private address.`);
    refused.code = privateAddressCode;
    callback(refused, address, family);
  });
};
