"""The demo's plant: water networks that EPANET calculates live, a real OPC UA server each, and real MQTT devices."""
