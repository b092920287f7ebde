// Links of earlier versions, `#/group/operation`, still lead to their operation.

const earlier = /^#\/[^/]+\/(\w+)$/.exec(location.hash);
if (earlier) location.replace(`#${earlier[1]}`);
