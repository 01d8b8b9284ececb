// What is tried of TURN relays without any signalling, and what a connection says of itself.

// The promise, or an error when it takes too long.
export function within(milliseconds, what, promise) {
  return new Promise((resolve, reject) => {
    setTimeout(() => reject(new Error(`${what}: nothing within ${milliseconds} ms`)), milliseconds);
    promise.then(resolve, reject);
  });
}

// What the peer connection of a call says of itself; null before there is one.
export async function measure(connection) {
  if (!connection) return null;
  const report = new Map();
  (await connection.getStats()).forEach((row) => report.set(row.id, row));
  const rows = [...report.values()];
  const transport = rows.find((row) => row.type === 'transport' && row.selectedCandidatePairId);
  const pair = transport && report.get(transport.selectedCandidatePairId);
  const inbound = rows.find((row) => row.type === 'inbound-rtp');
  const gathered = rows.filter((row) => row.type === 'local-candidate').map((row) => row.candidateType);
  // Of a peer that is heard before it is announced, the browser tells the port alone.
  return {
    state: connection.connectionState,
    type: pair && report.get(pair.localCandidateId)?.candidateType,
    local: pair && report.get(pair.localCandidateId)?.port,
    remote: pair && report.get(pair.remoteCandidateId)?.port,
    dtls: transport?.dtlsState,
    packetsReceived: inbound?.packetsReceived ?? 0,
    gathered: [...new Set(gathered)],
  };
}

// Gathers with these credentials alone: {candidates: [type], errors: [{code, url}]}, when gathering has ended.
export async function gather(iceServers) {
  const connection = new RTCPeerConnection({ iceServers, iceTransportPolicy: 'relay' });
  const found = { candidates: [], errors: [] };
  const complete = new Promise((resolve) => {
    connection.onicecandidate = ({ candidate }) => (candidate ? found.candidates.push(candidate.type) : resolve());
    connection.onicecandidateerror = ({ errorCode, url }) => {
      found.errors.push({ code: errorCode, url });
      resolve(); // the browser gathers on for ever after a refusal
    };
  });
  connection.createDataChannel('gather');
  await connection.setLocalDescription(await connection.createOffer());
  await within(40000, 'gather', complete);
  connection.close();
  return found;
}

// Connects two ends in this page, each through the relay of its own servers: {ends: [measure, measure], close}.
export async function connect(hereServers, thereServers) {
  const ends = [hereServers, thereServers].map((iceServers) => new RTCPeerConnection({ iceServers, iceTransportPolicy: 'relay' }));
  const [here, there] = ends;
  here.onicecandidate = ({ candidate }) => candidate && there.addIceCandidate(candidate);
  there.onicecandidate = ({ candidate }) => candidate && here.addIceCandidate(candidate);
  const media = await navigator.mediaDevices.getUserMedia({ audio: true });
  ends.forEach((end) => media.getTracks().forEach((track) => end.addTrack(track, media)));
  const connected = ends.map((end) => new Promise((resolve) => {
    end.addEventListener('connectionstatechange', () => end.connectionState === 'connected' && resolve());
  }));
  await here.setLocalDescription(await here.createOffer());
  await there.setRemoteDescription(here.localDescription);
  await there.setLocalDescription(await there.createAnswer());
  await here.setRemoteDescription(there.localDescription);
  await within(40000, 'connect', Promise.all(connected));
  return {
    measure: () => Promise.all(ends.map(measure)),
    close: () => ends.forEach((end) => end.close()),
  };
}
