"""Where rows come from. No constructor here touches the network; a call that asks for data does."""
