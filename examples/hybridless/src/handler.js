exports.handler = async () => ({ ok: true, included: require("./sub/b.js") });
