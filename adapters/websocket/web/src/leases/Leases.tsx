export default function Leases() {
  return null;
}
